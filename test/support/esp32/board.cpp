// A board that runs the sketch SKETCH; its MQTT client speaks over standard input and output.
#include "../arduino/Arduino.h"

inline void delay(unsigned long ms) { usleep(ms * 1000 / TIMES_FASTER); }
inline float temperatureRead() { return 21.5; }

#include SKETCH

void tell(char *line) {
  esp_mqtt_event_t event;
  int32_t kind = MQTT_EVENT_CONNECTED;
  if (strcmp(line, "disconnected") == 0) kind = MQTT_EVENT_DISCONNECTED;
  if (sscanf(line, "puback %d", &event.msg_id) == 1) kind = MQTT_EVENT_PUBLISHED;
  if (strncmp(line, "message ", 8) == 0) {
    kind = MQTT_EVENT_DATA;
    event.topic = line + 8;
    event.topic_len = strcspn(event.topic, " ");
    event.data = event.topic + event.topic_len + 1;
    event.data_len = event.total_data_len = strlen(event.data);
  }
  onEvent(NULL, NULL, kind, &event);
}

int main() {
  setvbuf(stdout, NULL, _IOLBF, 0);
  setup();
  char line[1024];
  size_t length = 0;
  pollfd wanted = {STDIN_FILENO, POLLIN, 0};
  for (;;) {
    loop();
    while (poll(&wanted, 1, 0) == 1) {
      char letter;
      if (read(STDIN_FILENO, &letter, 1) != 1) return 0;
      if (letter != '\n' && length < sizeof(line) - 1) {
        line[length++] = letter;
        continue;
      }
      line[length] = '\0';
      length = 0;
      tell(line);
    }
  }
}
