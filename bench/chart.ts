/** Bar charts as SVG, without scripts, for light and dark pages. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Drawn as a thin line over the bar. */
  readonly low: number;
  readonly high: number;
  /** Text to the right of the bar. */
  readonly text: string;
  readonly kind: 'reference' | 'yodel' | 'plain' | 'peer';
}

export interface Group {
  readonly title: string;
  /** The unit of the values. */
  readonly unit: string;
  readonly bars: readonly Bar[];
}

const width = 920;
const margin = 20;
const gap = 32;
const rowHeight = 19;
const titleHeight = 48;
const headHeight = 44;
const labelWidth = 142;
const textWidth = 88;

/** A chart brings its own background, so it is readable on any page; it follows the reader's light or dark setting. */
const style = `
  .paper { fill: #ffffff; stroke: #d5d9e0 } text { fill: #1f2937; font: 12px system-ui, sans-serif }
  .head { font-size: 16px; font-weight: 600 } .title { font-weight: 600 } .note { fill: #5b6472; font-size: 11px }
  .reference { fill: #6b7280 } .yodel { fill: #d9480f } .plain { fill: #4c8bf5 } .peer { fill: #9db2ce }
  .range { stroke: #1f2937; stroke-width: 1 } .emphasis { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #15181e; stroke: #333a45 } text { fill: #e5e7eb } .note { fill: #9aa4b2 }
    .reference { fill: #9ca3af } .yodel { fill: #ff7a3d } .plain { fill: #5b97f7 } .peer { fill: #52657f }
    .range { stroke: #e5e7eb }
  }`;

/** Draws the groups in two columns, or a single group alone; each has its own scale, which starts at 0. */
export function renderChart(head: string, note: string, groups: readonly Group[]): string {
  const columns = groups.length > 1 ? 2 : 1;
  const groupWidth = (width - 2 * margin - (columns - 1) * gap) / columns;
  const parts: string[] = [];
  let top = headHeight + margin;
  for (let first = 0; first < groups.length; first += columns) {
    const row = groups.slice(first, first + columns);
    row.forEach((group, column) => {
      parts.push(renderGroup(group, margin + column * (groupWidth + gap), top, groupWidth));
    });
    top += titleHeight + rowHeight * Math.max(...row.map(({ bars }) => bars.length)) + 10;
  }
  const height = Math.round(top + margin / 2);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(head)}</title>
<style>${style}
</style>
<rect class="paper" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
<text class="head" x="${margin}" y="30">${escaped(head)}</text>
<text class="note" x="${margin}" y="49">${escaped(note)}</text>
${parts.join('\n')}
</svg>
`;
}

function renderGroup({ title, unit, bars }: Group, left: number, top: number, groupWidth: number): string {
  const room = groupWidth - labelWidth - textWidth;
  const most = Math.max(...bars.map(({ high }) => high), Number.MIN_VALUE);
  const scale = (value: number) => Math.max(1, (value / most) * room);
  const rows = bars.map((bar, index) => {
    const y = top + titleHeight + index * rowHeight;
    const emphasis = bar.kind === 'yodel' ? ' class="emphasis"' : '';
    const from = left + labelWidth;
    return [
      `<text${emphasis} x="${from - 8}" y="${y}" text-anchor="end">${escaped(bar.label)}</text>`,
      `<rect class="${bar.kind}" x="${from}" y="${y - 11}" width="${scale(bar.value).toFixed(1)}" height="14" rx="2"/>`,
      range(bar, from, y - 4, scale),
      `<text${emphasis} x="${(from + scale(bar.high) + 6).toFixed(1)}" y="${y}">${escaped(bar.text)}</text>`,
    ].join('');
  });
  return [
    `<text class="title" x="${left}" y="${top + 8}">${escaped(title)}</text>`,
    `<text class="note" x="${left}" y="${top + 24}">${escaped(unit)}</text>`,
    ...rows,
  ].join('\n');
}

function range({ low, high }: Bar, from: number, y: number, scale: (value: number) => number): string {
  if (low === high) return '';
  return `<path class="range" d="M${(from + scale(low)).toFixed(1)} ${y}H${(from + scale(high)).toFixed(1)}"/>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
