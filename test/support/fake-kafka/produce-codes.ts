/** Kafka protocol, "Error Codes": those that a broker may answer to Produce, by what people must do about them. */

export const PASSING = {
  UNKNOWN_SERVER_ERROR: -1,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  BROKER_NOT_AVAILABLE: 8,
  REPLICA_NOT_AVAILABLE: 9,
  NETWORK_EXCEPTION: 13,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  CONCURRENT_TRANSACTIONS: 51,
  KAFKA_STORAGE_ERROR: 56,
  UNKNOWN_PRODUCER_ID: 59,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  THROTTLING_QUOTA_EXCEEDED: 89,
  PRODUCER_FENCED: 90,
  UNKNOWN_TOPIC_ID: 100,
  INCONSISTENT_TOPIC_ID: 103,
  TRANSACTION_ABORTABLE: 120,
  'a code that nobody knows': 9_999,
} as const;

export const OF_A_RECORD = {
  CORRUPT_MESSAGE: 2,
  MESSAGE_TOO_LARGE: 10,
  RECORD_LIST_TOO_LARGE: 18,
  INVALID_RECORD: 87,
} as const;

const VERSION = /use brokers of Kafka 2\.5 or newer/;

/** Code, and what the uplink's status says that people should do, of the topic `answers.telemetry`. */
export const BLOCKING = {
  UNKNOWN_TOPIC_OR_PARTITION: [3, /create the topic answers\.telemetry, or set createTopics/],
  INVALID_TOPIC_EXCEPTION: [17, /mend the topic name answers\.telemetry in topics/],
  INVALID_REQUIRED_ACKS: [21, /let the brokers take acks=all/],
  TOPIC_AUTHORIZATION_FAILED: [29, /let this user Describe and Write the topic answers\.telemetry/],
  CLUSTER_AUTHORIZATION_FAILED: [31, /let this user IdempotentWrite on the cluster/],
  UNSUPPORTED_VERSION: [35, VERSION],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, VERSION],
  POLICY_VIOLATION: [44, /mend createTopics .* or create answers\.telemetry by hand/],
  UNSUPPORTED_COMPRESSION_TYPE: [76, /set compression to none, or let the topic answers\.telemetry take it/],
} as const satisfies Record<string, readonly [number, RegExp]>;

/** The same, of a transaction. */
export const BLOCKING_A_TRANSACTION = {
  ...BLOCKING,
  TOPIC_AUTHORIZATION_FAILED: [29, /let this user Describe, Read and Write the topic answers\.telemetry/],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [
    53,
    /let this user Describe and Write the transactional id sluice\.greenhouse-pi-a1b2c3\.plant\.telemetry/,
  ],
} as const satisfies Record<string, readonly [number, RegExp]>;
