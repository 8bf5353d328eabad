/** A value that wanders slowly, as a room's temperature does. */
export function wander(start: number, step: number): () => number {
  let value = start;
  return () => {
    value += (Math.random() - 0.5) * step + (start - value) * 0.05;
    return Math.round(value * 100) / 100;
  };
}
