// Kept in the file that the environment variable EEPROM names.
#pragma once

#include <cstdio>
#include <cstdlib>

class Eeprom {
 public:
  template <typename Value>
  void get(int, Value &value) {
    FILE *file = fopen(getenv("EEPROM"), "rb");
    if (file == NULL || fread(&value, sizeof(value), 1, file) != 1) value = Value();
    if (file != NULL) fclose(file);
  }

  template <typename Value>
  void put(int, const Value &value) {
    FILE *file = fopen(getenv("EEPROM"), "wb");
    if (file == NULL || fwrite(&value, sizeof(value), 1, file) != 1) abort();
    fclose(file);
  }
};

inline Eeprom EEPROM;
