/** How a payload of foreign firmware is written. */
export const FORMATS = ['json', 'text', 'csv', 'key=value', 'cbor', 'senml', 'raw'] as const;

export type Format = (typeof FORMATS)[number];
