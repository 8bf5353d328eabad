// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of a configuration file

import { describe, expect, it } from 'vitest';
import { replaceVariables } from '../../../src/config/variables.ts';

const ENV = { NAME: 'pi', EMPTY: '', DOLLAR: '$NAME ${NAME}', _x1: 'under' };

describe('variables', () => {
  it.each([
    ['${NAME}', 'pi'],
    ['a-${NAME}-${_x1}-b', 'a-pi-under-b'],
    ['${NAME:-other}', 'pi'],
    ['${MISSING:-other}', 'other'],
    ['${MISSING:-}', ''],
    ['${EMPTY:-other}', 'other'],
    ['${EMPTY}', ''],
    ['${MISSING:-a:-b}', 'a:-b'],
    ['${MISSING:-{gateway}/{device}}', '{gateway}/{device}'],
    ['${NAME:-{device}}/{stream}', 'pi/{stream}'],
    ['$${NAME}', '${NAME}'],
    ['$$$${NAME}', '$${NAME}'],
    ['$$${NAME}', '$pi'],
    ['$NAME costs 5$', '$NAME costs 5$'],
    ['{NAME}', '{NAME}'],
  ])('makes %s into %s', (text, expected) => {
    expect(replaceVariables(text, ENV)).toEqual({ text: expected, problems: [] });
  });

  it('replaces nothing in what a variable held', () => {
    expect(replaceVariables('${DOLLAR}', ENV).text).toBe('$NAME ${NAME}');
  });

  it.each(['${MISSING}', '${toString}', '${__proto__}'])('says that %s is not set', (text) => {
    expect(replaceVariables(text, ENV).problems).toEqual([expect.stringContaining('is not set')]);
  });

  it.each(['${', '${}', '${NAME', '${1X}', '${NA ME}', '${NAME-x}', '${NAME:-{x}'])(
    'says that %s is no variable',
    (text) => {
      expect(replaceVariables(text, ENV).problems).toEqual([expect.stringContaining('is no variable')]);
    },
  );

  it('names every variable that is missing', () => {
    expect(replaceVariables('${A}${B}', ENV).problems).toHaveLength(2);
  });
});
