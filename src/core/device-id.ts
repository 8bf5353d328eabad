/** Device ids: 1–128 characters of `A-Z a-z 0-9 . _ -`. */
export const DEVICE_ID = /^[A-Za-z0-9._-]{1,128}$/;

export function isDeviceId(text: string): boolean {
  return DEVICE_ID.test(text);
}

const GERMAN: Readonly<Record<string, string>> = {
  ä: 'ae',
  ö: 'oe',
  ü: 'ue',
  Ä: 'Ae',
  Ö: 'Oe',
  Ü: 'Ue',
  ß: 'ss',
};

/**
 * A device id from free text: umlauts spelled out, accents dropped, every other character `_`, cut at 128.
 * `Küche Lampe` becomes `Kueche_Lampe`. Returns undefined when nothing is left.
 */
export function normaliseDeviceId(text: string): string | undefined {
  if (isDeviceId(text)) return text;
  const id = text
    .trim()
    .normalize('NFC')
    .replace(/[äöüÄÖÜß]/g, (letter) => GERMAN[letter] ?? '_')
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .slice(0, 128);
  return id === '' ? undefined : id;
}
