// What a sketch needs of Espressif's MQTT client, in lines: it says `connect URI CLIENT USER PASSWORD`, `publish ID QOS TOPIC PAYLOAD` and
// `subscribe TOPIC`, and is told `connected`, `disconnected`, `puback ID` and `message TOPIC PAYLOAD`.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>

typedef const char *esp_event_base_t;
typedef int esp_mqtt_client_handle_t;
const int ESP_EVENT_ANY_ID = -1;

enum esp_mqtt_event_id_t {
  MQTT_EVENT_ANY = -1,
  MQTT_EVENT_CONNECTED = 1,
  MQTT_EVENT_DISCONNECTED,
  MQTT_EVENT_SUBSCRIBED,
  MQTT_EVENT_UNSUBSCRIBED,
  MQTT_EVENT_PUBLISHED,
  MQTT_EVENT_DATA,
};

struct esp_mqtt_event_t {
  int msg_id = 0;
  // Without a zero behind it, as the payload.
  char *topic = NULL;
  int topic_len = 0;
  char *data = NULL;
  int data_len = 0;
  int total_data_len = 0;
};
typedef esp_mqtt_event_t *esp_mqtt_event_handle_t;

struct esp_mqtt_client_config_t {
  struct { struct { const char *uri; } address; } broker;
  struct {
    const char *client_id;
    const char *username;
    struct { const char *password; } authentication;
  } credentials;
  struct { int keepalive; bool disable_clean_session; } session;
};

typedef void (*EventHandler)(void *, esp_event_base_t, int32_t, void *);
inline EventHandler onEvent = NULL;

inline esp_mqtt_client_config_t mqttConfig;

inline esp_mqtt_client_handle_t esp_mqtt_client_init(const esp_mqtt_client_config_t *config) {
  mqttConfig = *config;
  return 1;
}

inline void esp_mqtt_client_start(esp_mqtt_client_handle_t) {
  const auto &credentials = mqttConfig.credentials;
  printf("connect %s %s %s %s\n", mqttConfig.broker.address.uri, credentials.client_id, credentials.username,
         credentials.authentication.password);
}

inline void esp_mqtt_client_register_event(esp_mqtt_client_handle_t, esp_mqtt_event_id_t, EventHandler handler, void *) {
  onEvent = handler;
}

inline int esp_mqtt_client_subscribe(esp_mqtt_client_handle_t, const char *topic, int) {
  printf("subscribe %s\n", topic);
  return 1;
}

inline int esp_mqtt_client_publish(esp_mqtt_client_handle_t, const char *topic, const char *data, int length, int qos, int) {
  static int lastId = 0;
  int id = qos == 0 ? 0 : ++lastId;
  printf("publish %d %d %s %.*s\n", id, qos, topic, length == 0 ? (int)strlen(data) : length, data);
  return id;
}
