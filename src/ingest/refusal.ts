/** Why a message is refused, and what helps. */
export const REFUSAL_HINTS = {
  bad_device_id: 'a device id has 1 to 128 characters of A-Z a-z 0-9 . _ -',
  bad_event_type: 'an event type has 1 to 128 printable characters',
  bad_metric_name:
    'the name of a metric has 1 to 128 printable characters, and is not ts: give it another one by metrics',
  bad_status: 'the status of a response is a whole number from 100 to 599',
  bad_ts: 'the time of observation is ISO 8601 text or a number; if it is something else, name another value by time',
  duplicate_metric: 'two values would have one name: rename one of them by metrics, or send it once',
  empty: 'there is no value in it',
  inf: 'a number that is infinite is no value: send nothing instead',
  invalid_cbor: 'the payload is no CBOR, or holds what JSON has no word for',
  invalid_csv: 'a quoted field must end with its quote; quotes within it are doubled',
  invalid_json: 'the payload is no JSON: mend it, or name its format in the route',
  invalid_senml: 'the payload is no SenML pack: an array of records, each with one value (RFC 8428)',
  nan: 'what is not a number is no value: send nothing instead',
  no_device:
    'the value that deviceFrom names is missing, or neither text nor a number up to 2^53: send larger ones as text',
  no_frame_number: 'the value that dedupe.field names is missing, or no whole number from 0 to 4,294,967,295',
  no_match: 'the pattern matches nowhere in the payload',
  not_an_object: 'a JSON object such as {"temperature":21.5} is needed; one value alone needs a metric to name it',
  not_key_value: 'pairs such as temperature=21.5 are needed, with blanks or , ; & between; text with blanks in quotes',
  not_scalar: 'a metric is a number, text, true, false or null: what is nested needs a route',
  not_utf8: 'text must be UTF-8; for other bytes there are the formats cbor and raw',
  other_device:
    'below devices/{id}/ a device speaks for itself alone: to speak for others it needs a grant for another topic',
  out_of_range: 'the number is too large for a 64-bit float, or no number',
  senml_not_understood: 'the pack is of a later version, or has a field that must be understood (its name ends with _)',
  several_devices: 'a message is of one device: send a pack for each base name, or take the device from the topic',
  too_deep: 'it is nested deeper than 16 levels',
  too_large: 'written as JSON it is larger than 1 MiB: send less at once',
  too_many_in_batch: 'a message may hold 10,000 records',
  too_many_metrics: 'a record may hold 1,000 metrics',
  wrong_length: 'the payload must have exactly as many bytes as layout',
  unknown_topic:
    'a frame begins with telemetry, telemetry/{metric}, events/{type}, state/reported or responses/{id}, and a blank behind it',
  wrong_column_count: 'each line must have as many fields as columns names; check the separator',
} as const;

/** Stable, `snake_case`. */
export type Refusal = keyof typeof REFUSAL_HINTS;
