/*
 * A small HTTP API over a list of albums, in C with POSIX sockets: see openapi/albums.yaml. Listens on $HOST:$PORT.
 *
 *     cc -O2 -o albums albums.c
 *
 * One thread and poll(). Everything but the answers lies in arrays of fixed size, so a request can take no more than its share; an
 * answer is freed when its connection has no more to send. The albums are in memory and end with the process. SIGTERM: no new
 * connections, the requests that have begun are answered, then it ends with 0.
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  MAX_ALBUMS = 1000,
  MAX_CONNECTIONS = 512,
  MAX_HEAD = 8192,
  MAX_BODY = 8192,
  MAX_CHARS = 200,
  /* A character of UTF-8 has at most four bytes. */
  TEXT_BYTES = MAX_CHARS * 4 + 1,
};

/* ---- The albums, in the order of their ids ---- */

typedef struct {
  long id;
  int year;
  char title[TEXT_BYTES], artist[TEXT_BYTES];
} Album;

static Album albums[MAX_ALBUMS];
static size_t album_count;
static long last_id;

static Album *find_album(long id) {
  for (size_t i = 0; i < album_count; i++)
    if (albums[i].id == id) return &albums[i];
  return NULL;
}

static Album *add_album(const Album *fields) {
  if (album_count == MAX_ALBUMS) return NULL;
  Album *album = &albums[album_count++];
  *album = *fields;
  album->id = ++last_id;
  return album;
}

static void delete_album(Album *album) {
  size_t after = album_count - (size_t)(album - albums) - 1;
  memmove(album, album + 1, after * sizeof *album);
  album_count--;
}

/* ---- Bytes that grow ---- */

typedef struct {
  char *bytes;
  size_t length, room;
} Buffer;

static void append(Buffer *buffer, const char *bytes, size_t length) {
  if (buffer->length + length > buffer->room) {
    size_t room = buffer->room < 1024 ? 1024 : buffer->room;
    while (room < buffer->length + length) room *= 2;
    char *grown = realloc(buffer->bytes, room);
    if (grown == NULL) {
      perror("albums");
      exit(1);
    }
    buffer->bytes = grown;
    buffer->room = room;
  }
  memcpy(buffer->bytes + buffer->length, bytes, length);
  buffer->length += length;
}

static void append_text(Buffer *buffer, const char *text) { append(buffer, text, strlen(text)); }

__attribute__((format(printf, 2, 3))) static void append_format(Buffer *buffer, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (length > 0) append(buffer, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

static void clear(Buffer *buffer) {
  free(buffer->bytes);
  *buffer = (Buffer){0};
}

/* Texts have no control characters: they were refused when they came in. */
static void append_json_text(Buffer *buffer, const char *text) {
  append_text(buffer, "\"");
  for (; *text != 0; text++) {
    if (*text == '"' || *text == '\\') append_text(buffer, "\\");
    append(buffer, text, 1);
  }
  append_text(buffer, "\"");
}

static void append_album(Buffer *buffer, const Album *album) {
  append_format(buffer, "{\"album_id\":%ld,\"title\":", album->id);
  append_json_text(buffer, album->title);
  append_text(buffer, ",\"artist\":");
  append_json_text(buffer, album->artist);
  append_format(buffer, ",\"year\":%d}", album->year);
}

/* ---- JSON in: one object whose members are texts and numbers. What does not fit says so in `problem`. ---- */

typedef struct {
  const unsigned char *at, *end;
  int depth;
} Reader;

static void skip_space(Reader *reader) {
  while (reader->at < reader->end && memchr(" \t\r\n", *reader->at, 4) != NULL) reader->at++;
}

static bool take(Reader *reader, char expected) {
  skip_space(reader);
  if (reader->at == reader->end || *reader->at != (unsigned char)expected) return false;
  reader->at++;
  return true;
}

/* The character at `at`, whole and well formed as RFC 3629 has it; its bytes, or 0. */
static size_t utf8_length(const unsigned char *at, const unsigned char *end) {
  unsigned char first = *at;
  if (first < 0x80) return 1;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || (size_t)(end - at) < length) return 0;
  for (size_t i = 1; i < length; i++)
    if ((at[i] & 0xc0) != 0x80) return 0;
  if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f)) return 0;
  if ((first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f)) return 0;
  return length;
}

static size_t put_utf8(char *to, uint32_t code) {
  if (code < 0x80) return to[0] = (char)code, 1;
  if (code < 0x800) return to[0] = (char)(0xc0 | code >> 6), to[1] = (char)(0x80 | (code & 63)), 2;
  if (code < 0x10000) {
    to[0] = (char)(0xe0 | code >> 12), to[1] = (char)(0x80 | (code >> 6 & 63)), to[2] = (char)(0x80 | (code & 63));
    return 3;
  }
  to[0] = (char)(0xf0 | code >> 18), to[1] = (char)(0x80 | (code >> 12 & 63));
  to[2] = (char)(0x80 | (code >> 6 & 63)), to[3] = (char)(0x80 | (code & 63));
  return 4;
}

static bool read_hex(Reader *reader, uint32_t *code) {
  *code = 0;
  for (int i = 0; i < 4; i++, reader->at++) {
    if (reader->at == reader->end) return false;
    unsigned char c = *reader->at;
    uint32_t digit;
    if (c >= '0' && c <= '9') digit = c - '0';
    else if ((c | 32) >= 'a' && (c | 32) <= 'f') digit = (c | 32) - 'a' + 10;
    else return false;
    *code = *code * 16 + digit;
  }
  return true;
}

static const char ESCAPES[] = "\"\\/bfnrt", ESCAPED[] = "\"\\/\b\f\n\r\t";

/*
 * After the opening quote. `fits`: it has 1 to MAX_CHARS characters and none is a control character or half of one; only then is all
 * of it in `text`. false: it is no JSON.
 */
static bool read_text(Reader *reader, char text[TEXT_BYTES], bool *fits) {
  size_t length = 0, chars = 0;
  *fits = true;
  for (;;) {
    if (reader->at == reader->end) return false;
    char bytes[4];
    size_t size;
    unsigned char c = *reader->at;
    if (c == '"') break;
    if (c < 0x20) return false;
    if (c == '\\') {
      if (++reader->at == reader->end) return false;
      c = *reader->at++;
      uint32_t code;
      const char *escape = c == 0 ? NULL : strchr(ESCAPES, c);
      if (escape != NULL) code = (unsigned char)ESCAPED[escape - ESCAPES];
      else if (c != 'u' || !read_hex(reader, &code)) return false;
      if (code >= 0xd800 && code < 0xdc00 && reader->end - reader->at >= 6 && memcmp(reader->at, "\\u", 2) == 0) {
        Reader next = {reader->at + 2, reader->end, 0};
        uint32_t low;
        if (read_hex(&next, &low) && low >= 0xdc00 && low < 0xe000) {
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          reader->at = next.at;
        }
      }
      if (code < 0x20 || code == 0x7f || (code >= 0xd800 && code < 0xe000)) *fits = false;
      size = put_utf8(bytes, code);
    } else {
      size = utf8_length(reader->at, reader->end);
      if (size == 0) return false;
      if (c == 0x7f) *fits = false;
      memcpy(bytes, reader->at, size);
      reader->at += size;
    }
    if (++chars > MAX_CHARS) *fits = false;
    if (*fits) memcpy(text + length, bytes, size), length += size;
  }
  reader->at++;
  text[length] = 0;
  if (chars == 0) *fits = false;
  return true;
}

/* A number as JSON has it: strtod takes more. */
static bool read_number(Reader *reader, double *number) {
  char text[64];
  const unsigned char *from = reader->at, *at = from, *end = reader->end;
  if (at < end && *at == '-') at++;
  const unsigned char *digits = at;
  while (at < end && *at >= '0' && *at <= '9') at++;
  if (at == digits || (*digits == '0' && at - digits > 1)) return false;
  if (at < end && *at == '.') {
    digits = ++at;
    while (at < end && *at >= '0' && *at <= '9') at++;
    if (at == digits) return false;
  }
  if (at < end && (*at | 32) == 'e') {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    digits = at;
    while (at < end && *at >= '0' && *at <= '9') at++;
    if (at == digits) return false;
  }
  reader->at = at;
  size_t length = (size_t)(at - from);
  /* Nobody writes a year so: it is JSON, and does not fit. */
  if (length >= sizeof text) return *number = -1, true;
  memcpy(text, from, length);
  text[length] = 0;
  *number = strtod(text, NULL);
  return true;
}

static bool take_word(Reader *reader, const char *word) {
  size_t length = strlen(word);
  if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0) return false;
  reader->at += length;
  return true;
}

/* Any value, to know whether what does not fit is JSON at all. */
static bool skip_value(Reader *reader) {
  char text[TEXT_BYTES];
  bool fits;
  double number;
  if (take(reader, '"')) return read_text(reader, text, &fits);
  bool object = take(reader, '{');
  if (object || take(reader, '[')) {
    char close = object ? '}' : ']';
    if (++reader->depth > 100) return false;
    if (!take(reader, close)) {
      do {
        if (object && !(take(reader, '"') && read_text(reader, text, &fits) && take(reader, ':'))) return false;
        if (!skip_value(reader)) return false;
      } while (take(reader, ','));
      if (!take(reader, close)) return false;
    }
    reader->depth--;
    return true;
  }
  if (take_word(reader, "true") || take_word(reader, "false") || take_word(reader, "null")) return true;
  return read_number(reader, &number);
}

static const char *const NOT_JSON = "the body must be JSON";
static const char *const BAD_TITLE = "title must be a text of 1 to 200 characters, none of them a control character";
static const char *const BAD_ARTIST = "artist must be a text of 1 to 200 characters, none of them a control character";

/* What is wrong with the body, or NULL. Of a member that is there twice the last counts. */
static const char *read_album(const char *body, size_t length, Album *album) {
  Reader reader = {(const unsigned char *)body, (const unsigned char *)body + length, 0};
  bool title = false, artist = false, year = false, unknown = false;
  *album = (Album){0};
  if (!take(&reader, '{')) {
    bool json = skip_value(&reader);
    skip_space(&reader);
    return json && reader.at == reader.end ? "the body must be an object" : NOT_JSON;
  }
  if (!take(&reader, '}')) {
    do {
      char name[TEXT_BYTES];
      bool named;
      if (!take(&reader, '"') || !read_text(&reader, name, &named) || !take(&reader, ':')) return NOT_JSON;
      bool is_title = named && strcmp(name, "title") == 0, is_artist = named && strcmp(name, "artist") == 0;
      bool is_year = named && strcmp(name, "year") == 0;
      if (!is_title && !is_artist && !is_year) unknown = true;
      skip_space(&reader);
      bool is_text = reader.at < reader.end && *reader.at == '"';
      bool is_number = reader.at < reader.end && (*reader.at == '-' || (*reader.at >= '0' && *reader.at <= '9'));
      bool *fits = is_title ? &title : is_artist ? &artist : &year;
      if ((is_title || is_artist) && is_text) {
        reader.at++;
        if (!read_text(&reader, is_title ? album->title : album->artist, fits)) return NOT_JSON;
      } else if (is_year && is_number) {
        double number;
        if (!read_number(&reader, &number)) return NOT_JSON;
        year = number >= 1860 && number <= 2100 && number == (int)number;
        if (year) album->year = (int)number;
      } else {
        if (!skip_value(&reader)) return NOT_JSON;
        if (is_title || is_artist || is_year) *fits = false;
      }
    } while (take(&reader, ','));
    if (!take(&reader, '}')) return NOT_JSON;
  }
  skip_space(&reader);
  if (reader.at != reader.end) return NOT_JSON;
  if (unknown) return "the body may have title, artist, year and nothing else";
  return !title ? BAD_TITLE : !artist ? BAD_ARTIST : !year ? "year must be an integer from 1860 to 2100" : NULL;
}

/* ---- Requests and answers ---- */

typedef struct {
  int fd;
  /* What has come and is not answered yet; `continued`: its sender was told to go on with the body. */
  char in[MAX_HEAD + MAX_BODY];
  size_t in_length;
  bool continued;
  Buffer out;
  size_t sent;
  bool close_after;
  /* All is said; what still comes is dropped. To close at once would take the last answer from who is still sending. */
  bool hung_up;
} Connection;

typedef struct {
  char method[16];
  /* Without the query, which may be NULL. */
  const char *path, *query;
  const char *body;
  size_t body_length;
} Request;

static Connection connections[MAX_CONNECTIONS];
static size_t connection_count;
static volatile sig_atomic_t ending;

static const char *reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 422: return "Unprocessable Content";
    case 431: return "Request Header Fields Too Large";
    default: return "Bad Request";
  }
}

/* `headers`: whole lines, or empty. `body` NULL: there is none. */
static void respond(Connection *connection, int status, const char *headers, const Buffer *body) {
  if (ending) connection->close_after = true;
  append_format(&connection->out, "HTTP/1.1 %d %s\r\n%s", status, reason_of(status), headers);
  if (body != NULL) append_format(&connection->out, "Content-Length: %zu\r\n", body->length);
  if (connection->close_after) append_text(&connection->out, "Connection: close\r\n");
  append_text(&connection->out, "\r\n");
  if (body != NULL) append(&connection->out, body->bytes, body->length);
}

static void respond_problem(Connection *connection, int status, const char *detail, const char *headers) {
  Buffer body = {0};
  char lines[256];
  append_format(&body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\"}", reason_of(status), status, detail);
  snprintf(lines, sizeof lines, "Content-Type: application/problem+json\r\n%s", headers);
  respond(connection, status, lines, &body);
  clear(&body);
}

static void respond_not_allowed(Connection *connection, const char *methods) {
  char detail[64], headers[64];
  snprintf(detail, sizeof detail, "this path takes %s", methods);
  snprintf(headers, sizeof headers, "Allow: %s\r\n", methods);
  respond_problem(connection, 405, detail, headers);
}

static void respond_album(Connection *connection, int status, const Album *album) {
  Buffer body = {0};
  char headers[128] = "Content-Type: application/json\r\n";
  if (status == 201) snprintf(headers, sizeof headers, "Content-Type: application/json\r\nLocation: /albums/%ld\r\n", album->id);
  append_album(&body, album);
  respond(connection, status, headers, &body);
  clear(&body);
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Whether the query has `artist`; the first one decides. No artist is longer than TEXT_BYTES, so what is cut off fits none. */
static bool artist_of(const char *query, char artist[TEXT_BYTES + 1]) {
  for (const char *at = query; at != NULL; at = strchr(at, '&')) {
    if (*at == '&') at++;
    if (strncmp(at, "artist", 6) != 0 || (at[6] != '=' && at[6] != '&' && at[6] != 0)) continue;
    size_t length = 0;
    for (at += at[6] == '=' ? 7 : 6; *at != 0 && *at != '&' && length < TEXT_BYTES; at++) {
      char c = *at == '+' ? ' ' : *at;
      if (*at == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
        c = (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
        at += 2;
      }
      /* Would end the text too early. */
      artist[length++] = c == 0 ? '\x01' : c;
    }
    artist[length] = 0;
    return true;
  }
  return false;
}

static void respond_list(Connection *connection, const char *query) {
  char artist[TEXT_BYTES + 1];
  bool narrowed = artist_of(query, artist);
  Buffer body = {0};
  const char *comma = "";
  append_text(&body, "{\"albums\":[");
  for (size_t i = 0; i < album_count; i++) {
    if (narrowed && strcmp(albums[i].artist, artist) != 0) continue;
    append_text(&body, comma);
    append_album(&body, &albums[i]);
    comma = ",";
  }
  append_text(&body, "]}");
  respond(connection, 200, "Content-Type: application/json\r\n", &body);
  clear(&body);
}

static void answer_album(Connection *connection, const Request *request, long id) {
  bool is_put = strcmp(request->method, "PUT") == 0, is_delete = strcmp(request->method, "DELETE") == 0;
  if (!is_put && !is_delete && strcmp(request->method, "GET") != 0) {
    respond_not_allowed(connection, "GET, PUT, DELETE");
    return;
  }
  Album fields;
  const char *wrong = is_put ? read_album(request->body, request->body_length, &fields) : NULL;
  Album *album = find_album(id);
  if (wrong != NULL) {
    respond_problem(connection, 422, wrong, "");
  } else if (album == NULL) {
    char detail[64];
    snprintf(detail, sizeof detail, "there is no album %ld", id);
    respond_problem(connection, 404, detail, "");
  } else if (is_delete) {
    delete_album(album);
    respond(connection, 204, "", NULL);
  } else {
    if (is_put) {
      fields.id = id;
      *album = fields;
    }
    respond_album(connection, 200, album);
  }
}

static void answer(Connection *connection, const Request *request) {
  bool is_get = strcmp(request->method, "GET") == 0;
  if (strcmp(request->path, "/health") == 0) {
    Buffer body = {0};
    append_text(&body, "{\"status\":\"ok\"}");
    if (is_get) respond(connection, 200, "Content-Type: application/json\r\n", &body);
    else respond_not_allowed(connection, "GET");
    clear(&body);
  } else if (strcmp(request->path, "/albums") == 0) {
    if (is_get) {
      respond_list(connection, request->query);
    } else if (strcmp(request->method, "POST") == 0) {
      Album fields;
      const char *wrong = read_album(request->body, request->body_length, &fields);
      const Album *album = wrong == NULL ? add_album(&fields) : NULL;
      if (album != NULL) respond_album(connection, 201, album);
      else respond_problem(connection, 422, wrong != NULL ? wrong : "there may be at most 1000 albums", "");
    } else {
      respond_not_allowed(connection, "GET, POST");
    }
  } else {
    const char *digits = strncmp(request->path, "/albums/", 8) == 0 ? request->path + 8 : "";
    size_t length = strlen(digits);
    if (length < 1 || length > 9 || strspn(digits, "0123456789") != length || *digits == '0')
      respond_problem(connection, 404, "there is nothing at this path", "");
    else
      answer_album(connection, request, strtol(digits, NULL, 10));
  }
}

/* The value of a header in a head whose lines end in NUL, or NULL. */
static const char *header_of(const char *head, const char *end, const char *name) {
  size_t length = strlen(name);
  for (const char *line = head; line < end; line += strlen(line) + 2) {
    if (strncasecmp(line, name, length) != 0 || line[length] != ':') continue;
    return line + length + 1 + strspn(line + length + 1, " \t");
  }
  return NULL;
}

static void refuse(Connection *connection, int status, const char *detail) {
  connection->close_after = true;
  connection->in_length = 0;
  respond_problem(connection, status, detail, "");
}

/* Answers the first request that is whole, if there is one. */
static void answer_next(Connection *connection) {
  char *in = connection->in;
  char head[MAX_HEAD + 1];
  size_t size = 0;
  while (size + 4 <= connection->in_length && memcmp(in + size, "\r\n\r\n", 4) != 0) size++;
  if (size + 4 > connection->in_length) {
    if (connection->in_length >= MAX_HEAD) refuse(connection, 431, "the head may have at most 8192 bytes");
    return;
  }
  if (size + 2 > MAX_HEAD) return refuse(connection, 431, "the head may have at most 8192 bytes");
  memcpy(head, in, size + 2);
  if (memchr(head, 0, size) != NULL) return refuse(connection, 400, "the head must be text");
  const char *end = head + size + 2;
  for (size_t i = 0; i + 1 < size + 2; i++)
    if (head[i] == '\r' && head[i + 1] == '\n') head[i] = 0;

  Request request = {0};
  char target[MAX_HEAD], version[16];
  if (sscanf(head, "%15s %8191s %15s", request.method, target, version) != 3 || strncmp(version, "HTTP/1.", 7) != 0 || *target != '/')
    return refuse(connection, 400, "the request cannot be read");
  char *query = strchr(target, '?');
  if (query != NULL) *query++ = 0;
  request.path = target;
  request.query = query;

  const char *headers = head + strlen(head) + 2;
  if (header_of(headers, end, "Transfer-Encoding") != NULL) return refuse(connection, 411, "the body must have a Content-Length");
  const char *said = header_of(headers, end, "Content-Length");
  size_t digits = said == NULL ? 0 : strspn(said, "0123456789");
  if (said != NULL && (digits == 0 || said[digits + strspn(said + digits, " \t")] != 0))
    return refuse(connection, 400, "Content-Length must be a number");
  unsigned long length = said == NULL ? 0 : digits > 9 ? MAX_BODY + 1 : strtoul(said, NULL, 10);
  if (length > MAX_BODY) return refuse(connection, 413, "the body may have at most 8192 bytes");
  const char *wish = header_of(headers, end, "Connection");
  bool close_wished = wish == NULL ? strcmp(version, "HTTP/1.0") == 0 : strncasecmp(wish, "close", 5) == 0;

  size_t whole = size + 4 + length;
  if (connection->in_length < whole) {
    const char *expects = header_of(headers, end, "Expect");
    if (expects != NULL && strcasecmp(expects, "100-continue") == 0 && !connection->continued)
      append_text(&connection->out, "HTTP/1.1 100 Continue\r\n\r\n");
    connection->continued = true;
    return;
  }
  if (close_wished) connection->close_after = true;
  request.body = in + size + 4;
  request.body_length = length;
  answer(connection, &request);
  connection->continued = false;
  connection->in_length -= whole;
  memmove(in, in + whole, connection->in_length);
}

/* ---- Sockets ---- */

static void close_connection(size_t at) {
  close(connections[at].fd);
  clear(&connections[at].out);
  connection_count--;
  if (at != connection_count) connections[at] = connections[connection_count];
  connections[connection_count].out = (Buffer){0};
}

static void accept_connection(int listener) {
  int fd = accept(listener, NULL, NULL), on = 1;
  if (fd < 0) return;
  fcntl(fd, F_SETFL, O_NONBLOCK);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Connection *connection = &connections[connection_count++];
  connection->fd = fd;
  connection->in_length = connection->sent = 0;
  connection->continued = connection->close_after = connection->hung_up = false;
}

static bool receive(Connection *connection) {
  ssize_t got = read(connection->fd, connection->in + connection->in_length, sizeof connection->in - connection->in_length);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (!connection->hung_up) connection->in_length += (size_t)got;
  return got > 0;
}

/* What has come, or can leave, does. One request after another, so that no more than one answer is held. false: it is over. */
static bool serve(Connection *connection) {
  Buffer *out = &connection->out;
  if (out->length == 0 && !receive(connection)) return false;
  while (!connection->hung_up) {
    if (out->length == 0) answer_next(connection);
    if (out->length == 0) return true;
    while (connection->sent < out->length) {
      ssize_t sent = write(connection->fd, out->bytes + connection->sent, out->length - connection->sent);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      connection->sent += (size_t)sent;
    }
    clear(out);
    connection->sent = 0;
    if (!connection->close_after) continue;
    shutdown(connection->fd, SHUT_WR);
    connection->hung_up = true;
    connection->in_length = 0;
  }
  return true;
}

static int listen_at(const char *host, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
    fprintf(stderr, "HOST must be an IPv4 address; it is \"%s\"\n", host);
    return -1;
  }
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
      bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1024) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
    perror("albums");
    return -1;
  }
  return fd;
}

static int wake[2];

static void end_soon(int signal) {
  (void)signal;
  int before = errno;
  ending = 1;
  /* It may come just before poll(), which then has this to return for. */
  if (write(wake[1], "", 1) < 0) errno = before;
  errno = before;
}

int main(void) {
  const char *host = getenv("HOST"), *port = getenv("PORT");
  struct sigaction end = {.sa_handler = end_soon}, ignore = {.sa_handler = SIG_IGN};
  if (pipe(wake) < 0) return perror("albums"), 1;
  sigaction(SIGTERM, &end, NULL);
  sigaction(SIGINT, &end, NULL);
  sigaction(SIGPIPE, &ignore, NULL);
  add_album(&(Album){.title = "Kind of Blue", .artist = "Miles Davis", .year = 1959});
  add_album(&(Album){.title = "Blue", .artist = "Joni Mitchell", .year = 1971});
  add_album(&(Album){.title = "Bitches Brew", .artist = "Miles Davis", .year = 1970});
  int listener = listen_at(host == NULL ? "127.0.0.1" : host, port == NULL ? 8080 : atoi(port));
  if (listener < 0) return 1;
  struct sockaddr_in bound;
  socklen_t size = sizeof bound;
  if (getsockname(listener, (struct sockaddr *)&bound, &size) < 0) return perror("albums"), 1;
  fprintf(stderr, "albums, in C, on port %d\n", ntohs(bound.sin_port));

  for (bool stopping = false;;) {
    struct pollfd polled[MAX_CONNECTIONS + 2];
    if (stopping) {
      if (listener >= 0) close(listener);
      listener = -1;
      for (size_t i = connection_count; i-- > 0;)
        if (connections[i].in_length == 0 && connections[i].out.length == 0) close_connection(i);
      if (connection_count == 0) return 0;
    }
    size_t count = connection_count;
    for (size_t i = 0; i < count; i++) {
      /* While it does not take its answer, nothing more is read of it. */
      bool sending = connections[i].out.length > 0;
      polled[i] = (struct pollfd){.fd = connections[i].fd, .events = sending ? POLLOUT : POLLIN};
    }
    /* poll() passes over what is below zero. */
    polled[count] = (struct pollfd){.fd = count < MAX_CONNECTIONS ? listener : -1, .events = POLLIN};
    polled[count + 1] = (struct pollfd){.fd = stopping ? -1 : wake[0], .events = POLLIN};
    if (poll(polled, count + 2, -1) < 0) continue;
    for (size_t i = count; i-- > 0;)
      if (polled[i].revents != 0 && !serve(&connections[i])) close_connection(i);
    if (polled[count].revents & POLLIN) accept_connection(listener);
    /* Only now: what had come before the signal is read and answered. */
    if (polled[count + 1].revents & POLLIN) stopping = true;
  }
}
