import { describe, expect, test } from "vitest";
import { destinationFault, machineAddressOf } from "./destination.ts";

describe("destinationFault()", () => {
  test.each([
    "https://receiver.example.com/",
    "https://receiver.example.com:8443/a?b=c",
    "https://1.1.1.1/",
    "https://[2606:4700::1111]/",
    "https://172.32.0.1/",
    "https://100.128.0.1/",
    "https://localhost.example.com/",
  ])("lets %s be on the public network", (url) => {
    expect(destinationFault(url, "public")).toBeUndefined();
  });

  test.each([
    ["https://127.0.0.1/", "public address"],
    ["https://2130706433/", "public address"],
    ["https://0177.1/", "public address"],
    ["https://0x7f000001/", "public address"],
    ["https://10.1.2.3/", "public address"],
    ["https://100.64.0.1/", "public address"],
    ["https://169.254.169.254/latest/meta-data", "public address"],
    ["https://172.16.0.1/", "public address"],
    ["https://172.31.255.255/", "public address"],
    ["https://192.168.0.1/", "public address"],
    ["https://192.0.2.1/", "public address"],
    ["https://198.18.0.1/", "public address"],
    ["https://224.0.0.1/", "public address"],
    ["https://255.255.255.255/", "public address"],
    ["https://[::]/", "public address"],
    ["https://[::1]/", "public address"],
    ["https://[::ffff:8.8.8.8]/", "public address"],
    ["https://[64:ff9b::8.8.8.8]/", "public address"],
    ["https://[fd00::1]/", "public address"],
    ["https://[fe80::1]/", "public address"],
    ["https://[2002:7f00:1::]/", "public address"],
    ["https://[2001:db8::1]/", "public address"],
    ["https://[2001::1]/", "public address"],
    ["https://localhost/", "public address"],
    ["https://LOCALHOST./", "public address"],
    ["https://a.b.localhost/", "public address"],
    ["https://intranet/", "public address"],
    ["https://db.svc.cluster.local/", "public address"],
    ["http://receiver.example.com/", "https://"],
    ["https://receiver.example.com:22/", "port"],
    ["https://user@receiver.example.com/", "credentials"],
    ["https://:password@receiver.example.com/", "credentials"],
    ["https://receiver.example.com/#a", "fragment"],
    ["ftp://receiver.example.com/", "https://"],
    ["javascript:alert(1)", "https://"],
    ["receiver", "a URL"],
  ])("keeps %s off the public network", (url, rule) => {
    expect(destinationFault(url, "public")).toContain(rule);
  });

  test.each([
    "http://127.0.0.1:9000/",
    "http://localhost:22/",
    "http://receiver/",
    "http://receiver.default.svc.cluster.local/",
    "http://10.0.0.1/",
    "http://[fd00::1]/",
    "https://receiver.example.com/",
    "https://192.168.0.1/",
  ])("lets %s be on the private network", (url) => {
    expect(destinationFault(url, "private")).toBeUndefined();
  });

  test.each([
    ["http://receiver.example.com/", "https://"],
    ["http://8.8.8.8/", "https://"],
    ["http://169.254.169.254/", "link-local"],
    ["http://[fe80::1]/", "link-local"],
    ["https://[::ffff:169.254.169.254]/", "link-local"],
    ["http://user@receiver/", "credentials"],
  ])("keeps %s off the private network", (url, rule) => {
    expect(destinationFault(url, "private")).toContain(rule);
  });
});

test.each([
  ["http://10.0.0.5:41234", { host: "10.0.0.5", isLoopback: false }],
  ["http://203.0.113.9:80", { host: "203.0.113.9", isLoopback: false }],
  ["http://[fd00::5]:80", { host: "[fd00::5]", isLoopback: false }],
  ["http://127.0.0.2:80", { host: "127.0.0.2", isLoopback: true }],
  ["http://0127.0.0.1:80", undefined],
  ["http://[::1]:80", { host: "[::1]", isLoopback: true }],
  ["http://[::ffff:127.0.0.1]:80", { host: "[::ffff:7f00:1]", isLoopback: true }],
  ["http://10.0.0.5", undefined],
  ["http://10.0.0.5:80/", undefined],
  ["http://me@10.0.0.5:80", undefined],
  ["https://10.0.0.5:80", undefined],
  ["http://10.5:80", undefined],
  ["http://167772165:80", undefined],
  ["http://10.0.0.5:99999", undefined],
  ["http://metadata.internal:80", undefined],
  ["http://0.0.0.0:80", undefined],
  ["http://224.0.0.1:80", undefined],
  ["http://255.255.255.255:80", undefined],
  ["http://169.254.169.254:80", undefined],
  ["http://[fe80::1]:80", undefined],
  ["http://[ff02::1]:80", undefined],
  ["http://[::]:80", undefined],
  ["http://[::ffff:169.254.169.254]:80", undefined],
  ["http://[64:ff9b::7f00:1]:80", undefined],
])("machineAddressOf(%j) is %j", (text, address) => {
  expect(machineAddressOf(text)).toEqual(address);
});
