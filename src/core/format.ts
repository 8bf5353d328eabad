/** How a payload of foreign firmware is written. */
export const FORMATS = ['json', 'text', 'csv', 'key=value', 'regex', 'cbor', 'struct', 'senml', 'raw'] as const;

export type Format = (typeof FORMATS)[number];
