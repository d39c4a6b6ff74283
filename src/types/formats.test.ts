import { beforeAll, describe, expect, it } from "vitest";
import { FORMATS } from "./formats.ts";
import { loadPatternEngine } from "../core/regex.ts";

const CASES: Readonly<Record<keyof typeof FORMATS, { good: readonly string[]; bad: readonly string[] }>> = {
  "date-time": {
    good: [
      "2026-01-02T03:04:05Z",
      "2024-02-29t23:59:59.123z",
      "1998-12-31T15:59:60.1-08:00",
      "0001-01-01T00:00:00+23:59",
    ],
    bad: [
      "",
      "2026-01-02",
      "2026-01-02 03:04:05Z",
      "2026-01-02T03:04:05",
      "2025-02-29T00:00:00Z",
      "2026-01-02T24:00:00Z",
      "2026-13-01T00:00:00Z",
      "1998-12-31T22:59:60Z",
      "2026-1-2T3:4:5Z",
      "2026-01-02T03:04:05+24:00",
      "২০২৬-01-02T03:04:05Z",
      "2026-01-02T03:04:05Z\n",
    ],
  },
  date: {
    good: ["2024-02-29", "2000-02-29", "2026-12-31"],
    bad: ["1900-02-29", "2026-02-30", "2026-04-31", "2026-00-01", "26-01-01", "2026-1-1"],
  },
  time: {
    good: ["00:00:00Z", "23:59:60Z", "01:29:60+01:30", "08:30:06.28Z"],
    bad: ["24:00:00Z", "00:60:00Z", "12:00:60Z", "12:00:00", "12:00:00.Z", "12:00Z"],
  },
  duration: {
    good: ["P4Y", "PT0S", "P1M", "PT1M", "P4DT12H30M5S", "P2W", "P1Y2M3DT4H5M6S"],
    bad: ["P", "PT", "P1YT", "P2D1Y", "P1W2D", "4Y", "P1", "PT1D", "P1Y2W", "P1.5Y", "PT1H5S"],
  },
  email: {
    good: [
      "a@b",
      "joe.bloggs@example.com",
      "te~st@example.com",
      '"joe bloggs"@example.com',
      "j@[127.0.0.1]",
      "j@[IPv6:::1]",
    ],
    bad: ["", "2962", "a@", "@b", ".a@b.c", "a.@b.c", "a..b@c.d", "a@-b", "a b@c", "j@[127.0.0.300]", "a@b@c"],
  },
  hostname: {
    good: ["localhost", "www.example.com", "a-b.c", "xn--4gbwdl.xn--wgbh1c", "a".repeat(63), "1"],
    bad: ["", "-a", "a-", "a_b", "a..b", ".a", "a.", "a".repeat(64), `${"a.".repeat(130)}a`, "é.com"],
  },
  ipv4: {
    good: ["0.0.0.0", "255.255.255.255", "192.168.0.1"],
    bad: ["", "256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4.", "0x7f.0.0.1", "1٢.0.0.1", "1.2.3.4/8"],
  },
  ipv6: {
    good: [
      "::",
      "::1",
      "1::",
      "1:2:3:4:5:6:7:8",
      "1::8",
      "::ffff:192.0.2.1",
      "1:2:3:4:5:6:1.2.3.4",
      "1:2:3:4:5:6:7::",
      "::2:3:4:5:6:7:8",
    ],
    bad: [
      "",
      ":",
      ":::",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1::2::3",
      "12345::",
      "::g",
      "1.2.3.4",
      "1:2:3:4:5:6:7:1.2.3.4",
      "fe80::1%eth0",
      ":1:2:3:4:5:6:7:8",
      "1:2:3:4:5:6:7:",
      "1.2.3.4::",
      "::1.2.3.256",
    ],
  },
  uri: {
    good: [
      "http://a.b/c?d#e",
      "urn:x:y",
      "mailto:a@b",
      "http://[::1]:80/",
      "http://a:b@c:1/%20",
      "a:",
      "http://foo.bar/?q=Test%20URL-encoded%20stuff",
      "tel:+1-816-555-1212",
    ],
    bad: [
      "",
      "//a/b",
      "/a",
      "a b",
      "http://a b",
      ":// x",
      "http://[::1",
      "http://a/%2",
      "http://a:b/",
      "1a:b",
      "http://a/<b>",
      "http://a/\\b",
      "http://é/",
      "http:// shouldfail.com",
      "http://a/`",
    ],
  },
  "uri-reference": {
    good: ["", "a", "/a?b", "#f", "//h/p", "http://a"],
    bad: ["\\\\a", "#a\\b", "a b", "%zz", ":a", "1:2", "a^b"],
  },
  uuid: {
    good: [
      "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
      "2EB8AA08-AA98-11EA-B4AA-73B441D16380",
      "00000000-0000-0000-0000-000000000000",
    ],
    bad: [
      "",
      "2eb8aa08aa9811eab4aa73b441d16380",
      "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
      "2eb8aa08-aa98-11ea-b4aa-73b441d1638g",
      "{2eb8aa08-aa98-11ea-b4aa-73b441d16380}",
    ],
  },
  "json-pointer": { good: ["", "/", "/a~0b~1c", "/a//b", "/ü\n"], bad: ["a", "/~", "/~2", "#/a", "/a~"] },
  regex: { good: ["a+", "^$"], bad: ["(", "[", "(?=a)"] },
};

describe("FORMATS", () => {
  beforeAll(loadPatternEngine);

  it("has a case for each", () => {
    expect(Object.keys(CASES).toSorted()).toEqual(Object.keys(FORMATS).toSorted());
  });

  for (const [format, { good, bad }] of Object.entries(CASES)) {
    it.each([...good])(`${format} takes %j`, (text) => expect(FORMATS[format]?.(text)).toBe(true));
    it.each([...bad])(`${format} refuses %j`, (text) => expect(FORMATS[format]?.(text)).toBe(false));
  }
});
