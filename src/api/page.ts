import { z } from '@hono/zod-openapi';
import { isDeviceId } from '../core/device-id.ts';
import { SluiceError } from '../core/errors.ts';

/** Most items of one page. */
export const MAX_LIMIT = 1_000;

/** Query parameters of every list. */
export const PageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(100).openapi({ description: 'Most items to return.' }),
  cursor: z.string().optional().openapi({ description: '`next_cursor` of the page before. Opaque.' }),
});

export const NextCursor = z.string().nullable().openapi({ description: 'For the next page; null at the end.' });

/** @throws SluiceError `bad_cursor` */
export function idBehind(cursor: string | undefined): string {
  if (cursor === undefined) return '';
  const id = Buffer.from(cursor, 'base64url').toString('utf8');
  if (isDeviceId(id) && cursorOf(id) === cursor) return id;
  throw badCursor();
}

function badCursor(): SluiceError {
  return new SluiceError('the cursor is none that this list gave out', {
    code: 'bad_cursor',
    hint: 'Begin without a cursor, then pass next_cursor on unchanged.',
  });
}

export function cursorOf(id: string): string {
  return Buffer.from(id, 'utf8').toString('base64url');
}

/** A cursor of a list that is in the order of a number. `list` keeps the cursors of different lists apart. */
export function numberCursor(list: string, behind: number): string {
  return Buffer.from(`${list}:${behind}`, 'utf8').toString('base64url');
}

/** What `numberCursor` was given; undefined without a cursor. @throws SluiceError `bad_cursor` */
export function numberBehind(list: string, cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const behind = Number(Buffer.from(cursor, 'base64url').toString('utf8').split(':')[1]);
  if (Number.isSafeInteger(behind) && behind >= 0 && numberCursor(list, behind) === cursor) return behind;
  throw badCursor();
}
