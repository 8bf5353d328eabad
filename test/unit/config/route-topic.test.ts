import { describe, expect, it } from 'vitest';
import { configOf, problemsOf } from '../../support/config-text.ts';

const route = (kafkaTopic: string): string =>
  `mqtt: { routes: [ { topic: "plant/+line/+device", device: "{device}", kafkaTopic: "${kafkaTopic}" } ] }`;

describe('the Kafka topic of a route', () => {
  it('is a template as those of streams are', () => {
    expect(configOf(route('plant.{gateway}.{stream}')).config.mqtt.routes[0]).toMatchObject({
      kafkaTopic: 'plant.{gateway}.{stream}',
    });
  });

  it.each(['{device}', '{line}'])('does not hold %s: nothing from the network makes a topic', (placeholder) => {
    expect(problemsOf(route(`plant.${placeholder}`))).toEqual([
      expect.stringContaining(`has an unknown placeholder ${placeholder} (known here: {gateway}, {stream})`),
    ]);
  });
});
