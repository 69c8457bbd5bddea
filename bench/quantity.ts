/** Formats a number with three significant digits, k for thousands and M for millions. */
export function formatQuantity(value: number): string {
  const [divisor, letter] = value >= 999_500 ? [1e6, ' M'] : value >= 9995 ? [1e3, ' k'] : [1, ''];
  const scaled = value / divisor;
  return `${scaled.toFixed(scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2)}${letter}`;
}
