const MAX_NAME_LENGTH = 128;

/** Metric names and event types: 1–128 characters, none of them a control character. */
export function isName(text: string): boolean {
  return text.length > 0 && text.length <= MAX_NAME_LENGTH && !/\p{Cc}/u.test(text);
}
