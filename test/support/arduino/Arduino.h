// What a sketch needs of an Arduino, on Linux: Serial is the port that the program is given, and time goes faster. A line
// `pin PIN LEVEL` on standard output says what an output drives.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

const int A0 = 0;
const int A1 = 1;
const unsigned long TIMES_FASTER = 20;

inline unsigned long millis() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (now.tv_sec * 1000UL + now.tv_nsec / 1000000UL) * TIMES_FASTER;
}

inline int analogRead(int pin) {
  static int reads = 0;
  return (reads++ * 7 + pin) % 300;
}

const uint8_t PINS = 40;
const uint8_t LED_BUILTIN = 13;
const uint8_t INPUT = 0;
const uint8_t OUTPUT = 1;
const uint8_t HIGH = 1;
const uint8_t LOW = 0;

inline uint8_t pinModes[PINS] = {INPUT};

inline void pinMode(uint8_t pin, uint8_t mode) { pinModes[pin] = mode; }

inline void digitalWrite(uint8_t pin, uint8_t level) {
  if (pinModes[pin] == OUTPUT) printf("pin %d %d\n", pin, level);
}

#define F(text) text

class SerialPort {
 public:
  int fd = -1;

  void begin(unsigned long) {}

  int available() {
    pollfd wanted = {fd, POLLIN, 0};
    return poll(&wanted, 1, 0) == 1 && (wanted.revents & POLLIN) ? 1 : 0;
  }

  int read() {
    unsigned char byte;
    return ::read(fd, &byte, 1) == 1 ? byte : -1;
  }

  // An Arduino's line takes what it is given, whoever listens.
  size_t write(const uint8_t *bytes, size_t length) {
    if (::write(fd, bytes, length) < 0) return length;
    return length;
  }
  size_t write(uint8_t byte) { return write(&byte, 1); }

  void print(const char *text) { write((const uint8_t *)text, strlen(text)); }
  void print(int value) { printAs("%d", value); }
  void print(unsigned int value) { printAs("%u", value); }
  void print(unsigned long value) { printAs("%lu", value); }
  void print(double value, int digits) { printAs("%.*f", digits, value); }

 private:
  template <typename... Values>
  void printAs(const char *format, Values... values) {
    char text[64];
    snprintf(text, sizeof(text), format, values...);
    print(text);
  }
};

inline SerialPort Serial;
