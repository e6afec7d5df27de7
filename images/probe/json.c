/* JSON on stdout, written as it comes. */
#include "probe.h"

static const char *comma = "";

void next(void) {
  fputs(comma, stdout);
  comma = ",";
}

void begin(char bracket) {
  putchar(bracket);
  comma = "";
}

void end(char bracket) {
  putchar(bracket);
  comma = ",";
}

/* Bytes outside of ASCII stand as code points of their own value: what they were meant to be is not known here. */
void put_text(const char *text) {
  putchar('"');
  for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++) {
    if (*c < 0x20 || *c >= 0x7f || *c == '"' || *c == '\\')
      printf("\\u%04x", *c);
    else
      putchar(*c);
  }
  putchar('"');
}

void put_key(const char *name) {
  next();
  put_text(name);
  putchar(':');
}

void put_text_field(const char *name, const char *text) {
  put_key(name);
  if (text == NULL)
    fputs("null", stdout);
  else
    put_text(text);
}

void put_bool_field(const char *name, int answer) {
  put_key(name);
  fputs(answer == UNKNOWN ? "null" : answer ? "true" : "false", stdout);
}

void put_limit_field(const char *name, long long limit) {
  put_key(name);
  if (limit == UNKNOWN)
    fputs("null", stdout);
  else if (limit == UNLIMITED)
    fputs("\"max\"", stdout);
  else
    printf("%lld", limit);
}

int finish(void) {
  putchar('\n');
  return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
