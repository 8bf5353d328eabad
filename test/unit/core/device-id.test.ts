import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDeviceId, normaliseDeviceId } from '../../../src/core/device-id.ts';

describe('a device id', () => {
  it('is 1 to 128 of the allowed characters', () => {
    const good = ['a', 'Z', '0', '.', '..', '_', '-', 'esp32-A.b_9', '__proto__', 'x'.repeat(128)];
    for (const id of good) expect(isDeviceId(id)).toBe(true);
  });

  it('is nothing else', () => {
    const bad = [
      '',
      'x'.repeat(129),
      'a b',
      'a/b',
      'a+',
      '#',
      'ü',
      'a\n',
      '\na',
      'a\u0000',
      'ａ',
      '\u212a',
      '\u017f',
      '$SYS',
    ];
    for (const id of bad) expect(isDeviceId(id)).toBe(false);
  });
});

describe('a device id from free text', () => {
  it.each([
    ['Küche Lampe', 'Kueche_Lampe'],
    ['Ku\u0308che Lampe', 'Kueche_Lampe'],
    ['Äußere Öfen Übel', 'Aeussere_Oefen_Uebel'],
    ['éèçñ', 'eecn'],
    ['Škoda', 'Skoda'],
    ['0x00158d0001', '0x00158d0001'],
    ['a/b+c#d', 'a_b_c_d'],
    ['漢字', '__'],
    ['a\u0000b\nc', 'a_b_c'],
  ])('%j becomes %j', (text, id) => {
    expect(normaliseDeviceId(text)).toBe(id);
  });

  it('is none when nothing is left', () => {
    expect(normaliseDeviceId('')).toBeUndefined();
    expect(normaliseDeviceId('\u0301')).toBeUndefined();
  });

  it('is cut at 128 characters', () => {
    expect(normaliseDeviceId('x'.repeat(1000))).toBe('x'.repeat(128));
    expect(normaliseDeviceId('ü'.repeat(1000))).toBe('ue'.repeat(64));
  });

  it('is always a device id, and stays the same when made again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const id = normaliseDeviceId(text);
        if (id === undefined) return;
        expect(isDeviceId(id)).toBe(true);
        expect(normaliseDeviceId(id)).toBe(id);
      }),
    );
  });

  it('leaves a good device id alone', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/), (id) => {
        expect(normaliseDeviceId(id)).toBe(id);
      }),
    );
  });
});
