/** Charts as inline SVG. Colours come from the style sheet of the page. */
import type { Scale, Tick } from './chart-scale.ts';
import { type Content, html, type Markup } from './html.ts';

/** In units of the drawing, which the page scales. The margins leave room for the larger text on phones. */
const size = { width: 560, height: 300, left: 78, right: 18, top: 16, bottom: 54 } as const;

/** The area inside the axes. */
export const plot = {
  left: size.left,
  right: size.width - size.right,
  top: size.top,
  bottom: size.height - size.bottom,
} as const;

/** Both axes of a chart. */
export interface Axes {
  readonly x: Scale;
  readonly y: Scale;
  /** The quantity on the x axis and its unit. */
  readonly xTitle: string;
}

/** A point of the drawing. */
export type Point = readonly [x: number, y: number];

/** An entry of the legend: CSS class and name. */
export type LegendEntry = readonly [style: string, name: string];

/** A chart without its drawing. */
export interface Figure extends Axes {
  readonly title: string;
  /** What it shows and how to read it. */
  readonly caption: string;
  readonly legend?: readonly LegendEntry[];
}

/** A figure of the page: title, legend, drawing and caption. */
export function figure({ title, caption, legend = [], ...axes }: Figure, drawing: Content): Markup {
  const { width, height } = size;
  const entries = legend.map(([style, name]) => html`<li><i class="${style}"></i>${name}</li>`);
  return html`<figure>
<h3>${title}</h3>${entries.length > 0 ? html`<ul class="legend">${entries}</ul>` : undefined}
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}. ${caption}">
${drawAxes(axes)}${drawing}
</svg>
<figcaption>${caption}</figcaption>
</figure>
`;
}

/** The point of a pair of values. */
export function pointAt({ x, y }: Axes, xValue: number, yValue: number): Point {
  return [xAt(x.place(xValue)), yAt(y.place(yValue))];
}

/** A line through points, with a gap where one is undefined. */
export function line(style: string, points: readonly (Point | undefined)[]): Markup {
  let path = '';
  let drawing = false;
  for (const point of points) {
    if (point) path += `${drawing ? 'L' : 'M'}${number(point[0])} ${number(point[1])}`;
    drawing = point !== undefined;
  }
  return html`<path class="line ${style}" d="${path}"/>`;
}

/** The area between points and the x axis. */
export function area(style: string, points: readonly Point[]): Markup | undefined {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return undefined;
  const top = points.map(([x, y]) => `L${number(x)} ${number(y)}`).join('');
  return html`<path class="${style}" d="M${number(first[0])} ${plot.bottom}${top}L${number(last[0])} ${plot.bottom}Z"/>`;
}

/** A dot with a tooltip. */
export function dot(style: string, [x, y]: Point, tooltip: string): Markup {
  return html`<circle class="${style}" cx="${number(x)}" cy="${number(y)}" r="3.5"><title>${tooltip}</title></circle>`;
}

/** A rectangle between two corners, with a tooltip. */
export function box(style: string, [x1, y1]: Point, [x2, y2]: Point, tooltip: string): Markup {
  const [left, top] = [Math.min(x1, x2), Math.min(y1, y2)];
  const [width, height] = [Math.abs(x2 - x1), Math.abs(y2 - y1)];
  return html`<rect class="${style}" x="${number(left)}" y="${number(top)}" width="${number(width)}" height="${number(height)}"><title>${tooltip}</title></rect>`;
}

/** A vertical line over the full height, with its name at the top. */
export function verticalLine(style: string, x: number, name: string): Markup {
  const anchor = x > (plot.left + plot.right) / 2 ? 'end' : 'start';
  const beside = anchor === 'end' ? x - 4 : x + 4;
  return html`<path class="line ${style}" d="M${number(x)} ${plot.top}V${plot.bottom}"/><text class="name" x="${number(beside)}" y="${plot.top + 10}" text-anchor="${anchor}">${name}</text>`;
}

/** A horizontal line over the full width. */
export function horizontalLine(style: string, y: number): Markup {
  return html`<path class="line ${style}" d="M${plot.left} ${number(y)}H${plot.right}"/>`;
}

function drawAxes({ x, y, xTitle }: Axes): Markup {
  return html`<g class="grid">${y.ticks.map((tick) => yTick(tick, yAt(y.place(tick.value))))}${x.ticks.map((tick) => xTick(tick, xAt(x.place(tick.value))))}</g>
<path class="axis" d="M${plot.left} ${plot.bottom}H${plot.right}"/><text class="title" x="${plot.right}" y="${size.height - 6}" text-anchor="end">${xTitle}</text>
`;
}

function yTick({ label, minor }: Tick, y: number): Markup {
  return html`<g${minorClass(minor)}><path d="M${plot.left} ${number(y)}H${plot.right}"/><text x="${plot.left - 8}" y="${number(y)}" dy="0.35em" text-anchor="end">${label}</text></g>`;
}

function xTick({ label, minor }: Tick, x: number): Markup {
  return html`<g${minorClass(minor)}><path d="M${number(x)} ${plot.bottom}v5"/><text x="${number(x)}" y="${plot.bottom + 8}" dy="0.9em" text-anchor="middle">${label}</text></g>`;
}

function minorClass(minor: boolean): Markup | undefined {
  return minor ? html` class="minor"` : undefined;
}

function xAt(part: number): number {
  return plot.left + part * (plot.right - plot.left);
}

function yAt(part: number): number {
  return plot.bottom - part * (plot.bottom - plot.top);
}

/** Rounded to a tenth of a unit, which is finer than a pixel. */
function number(value: number): string {
  return String(Math.round(value * 10) / 10);
}
