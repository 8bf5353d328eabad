import { describe, expect, it } from 'vitest';
import { filledText, filledValue, unknownPlaceholders } from '../../../src/core/command-template.ts';

const VALUES = {
  requestId: 'r1',
  device: 'lamp',
  name: 'dim',
  params: { level: 40, on: true, text: 'a b', none: null, deep: { er: 1 } },
};

describe('the template of a command', () => {
  it.each([
    ['{name} {request_id} {params.level}', 'dim r1 40'],
    ['{device}:{params.on}:{params.text}:{params.none}', 'lamp:true:a b:null'],
    ['{params.deep.er} {params.deep}', '1 {"er":1}'],
    ['{"do":"{name}","with":{params.deep}}', '{"do":"dim","with":{"er":1}}'],
    ['{ } {} {"a":1}', '{ } {} {"a":1}'],
  ])('%s becomes %s', (template, text) => {
    expect(filledText(template, VALUES)).toBe(text);
    expect(unknownPlaceholders(template)).toEqual([]);
  });

  it('of values keeps what kind of value each is', () => {
    const template = { id: '{request_id}', level: '{params.level}', all: ['{params.deep}', 7, null], say: 'to {name}' };
    expect(filledValue(template, VALUES)).toEqual({ id: 'r1', level: 40, all: [{ er: 1 }, 7, null], say: 'to dim' });
  });

  it.each([
    ['{params.absent}', VALUES.params, 'params.absent is missing'],
    ['{params.level.er}', VALUES.params, 'params.level.er is missing'],
    ['{params.toString}', VALUES.params, 'params.toString is missing'],
    ['{params.level}', null, 'params.level is missing'],
    ['{params.text}', { text: 'a\nb' }, 'params.text has a control character in it'],
    ['{params}', { text: 'a\u007f' }, 'params has a control character in it'],
  ])('%s with %j is no command: %s', (template, params, problem) => {
    expect(() => filledText(template, { ...VALUES, params })).toThrow(problem);
  });

  it('names what nobody knows, wherever it stands', () => {
    expect(unknownPlaceholders({ a: ['{nam}', '{params.x}'], b: '{request} {name}' })).toEqual(['nam', 'request']);
  });
});
