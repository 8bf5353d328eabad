// A board that runs the sketch SKETCH at the port that it is given.
#include "Arduino.h"
#include SKETCH

int main(int, char **arguments) {
  Serial.fd = open(arguments[1], O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (Serial.fd < 0) return 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  setup();
  for (;;) {
    loop();
    usleep(200);
  }
}
