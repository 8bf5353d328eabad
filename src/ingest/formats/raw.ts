import { type Decode, one, ReadingBuilder } from './reading.ts';

/** Name of the bytes when the route gives none. */
const NAME = 'raw';

/** The bytes as they are, in base64 (RFC 4648 §4), as the value of one metric. */
export const decodeRaw: Decode = (payload, options) => {
  if (payload.length === 0) return { refused: 'empty' };
  const builder = new ReadingBuilder({ ...options, metric: null, time: '' });
  return one(builder.add(options.metric ?? NAME, payload.toString('base64')) ?? builder.build());
};
