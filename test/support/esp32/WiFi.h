// A network that is always there.
#pragma once

const int WIFI_STA = 1;

class Wifi {
 public:
  void mode(int) {}
  void setAutoReconnect(bool) {}
  void begin(const char *, const char *) {}
};

inline Wifi WiFi;
