import { describe, expect, it } from 'vitest';
import { SluiceError } from '../../../../src/core/errors.ts';
import { joined } from '../../../../src/uplink/kafka/joined.ts';
import { storedRecords } from '../../../support/stored-record.ts';

const ALL = storedRecords(1, 6);
const ODD = ALL.filter(({ seq }) => seq % 2 === 1);
const EVEN = ALL.filter(({ seq }) => seq % 2 === 0);
const error = new SluiceError('later', { code: 'later', retryable: true });
const other = new SluiceError('much later', { code: 'much_later', retryable: true });
const reject = (seq: number) => ({ seq, reason: 'message_too_large', detail: '' });

describe('the outcome of a batch that went to several topics', () => {
  it('is whole when every share is', () => {
    const shares = [
      { records: ODD, outcome: { upTo: 5, rejected: [reject(5)], error: null } },
      { records: EVEN, outcome: { upTo: 6, rejected: [reject(2)], error: null } },
    ];
    expect(joined(0, ALL, shares)).toEqual({ upTo: 6, rejected: [reject(2), reject(5)], error: null });
  });

  it('ends before the first record that a share did not deliver, and names no reject behind it', () => {
    const shares = [
      { records: ODD, outcome: { upTo: 1, rejected: [], error } },
      { records: EVEN, outcome: { upTo: 6, rejected: [reject(2), reject(6)], error: null } },
    ];
    expect(joined(0, ALL, shares)).toEqual({ upTo: 2, rejected: [reject(2)], error });
  });

  it('is nothing when the first record stays, and has the error of that', () => {
    const shares = [
      { records: EVEN, outcome: { upTo: 4, rejected: [], error: other } },
      { records: ODD, outcome: { upTo: 0, rejected: [], error } },
    ];
    expect(joined(0, ALL, shares)).toEqual({ upTo: 0, rejected: [], error });
  });

  it('keeps an error that came after the last record', () => {
    const shares = [
      { records: ODD, outcome: { upTo: 5, rejected: [], error } },
      { records: EVEN, outcome: { upTo: 6, rejected: [], error: null } },
    ];
    expect(joined(0, ALL, shares)).toEqual({ upTo: 6, rejected: [], error });
  });
});
