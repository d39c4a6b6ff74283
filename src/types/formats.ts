/**
 * The formats that can be asserted, each in time linear in the text. A format that is not here is refused where
 * formats are asserted, so none is silently left out.
 */
import { compilePattern } from "../core/regex.ts";

type Check = (text: string) => boolean;

const DATE = /^([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$/;
const TIME =
  /^([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.[0-9]+)?(?:[zZ]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))$/;

/** RFC 3339 full-date. */
function isDate(text: string): boolean {
  const match = DATE.exec(text);
  if (match === null) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= ([31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0);
}

/** RFC 3339 full-time. A leap second only where the clock in UTC reads 23:59:60. */
function isTime(text: string): boolean {
  const match = TIME.exec(text);
  if (match === null) return false;
  if (match[3] !== "60") return true;
  const offset = (Number(match[5] ?? 0) * 60 + Number(match[6] ?? 0)) * (match[4] === "-" ? -1 : 1);
  const minutes = Number(match[1]) * 60 + Number(match[2]) - offset;
  return (minutes + 2880) % 1440 === 1439;
}

const DURATION =
  /^P(?:[0-9]+W|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)(?:T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S))?|T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S))$/;

const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;

/** RFC 4291 without a zone. */
function isIpv6(text: string): boolean {
  if (text.length > 45) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    if (half === "") continue;
    const parts = half.split(":");
    for (const [place, part] of parts.entries()) {
      const last = index === halves.length - 1 && place === parts.length - 1;
      if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups++;
      else if (last && IPV4.test(part)) groups += 2;
      else return false;
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}

/** RFC 1123: labels of letters, digits and inner hyphens. */
function isHostname(text: string): boolean {
  if (text.length > 253) return false;
  return text.split(".").every((label) => /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label));
}

/** RFC 5321 mailbox: dot-string or quoted local part, a host name or an address literal. */
function isEmail(text: string): boolean {
  const at = text.lastIndexOf("@");
  if (at < 1 || at > 64) return false;
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)];
  const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  const goodLocal = new RegExp(`^${atom}(?:\\.${atom})*$`).test(local) || /^"(?:[ !#-[\]-~]|\\[ -~])*"$/.test(local);
  if (!goodLocal) return false;
  const literal = /^\[(?:([iI][pP][vV]6:)?([0-9a-fA-F:.]+))\]$/.exec(domain);
  if (literal?.[2] !== undefined) return literal[1] === undefined ? IPV4.test(literal[2]) : isIpv6(literal[2]);
  return isHostname(domain);
}

const UNRESERVED = "A-Za-z0-9._~!$&'()*+,;=\\-";
const PATH = new RegExp(`^(?:[${UNRESERVED}:@/]|%[0-9a-fA-F]{2})*$`);
const QUERY = new RegExp(`^(?:[${UNRESERVED}:@/?]|%[0-9a-fA-F]{2})*$`);
const USER = new RegExp(`^(?:[${UNRESERVED}:]|%[0-9a-fA-F]{2})*$`);
const HOST = new RegExp(`^(?:[${UNRESERVED}]|%[0-9a-fA-F]{2})*$`);

/** RFC 3986 URI-reference, split as its appendix B does. */
function isUriReference(text: string): boolean {
  const match = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text);
  if (match === null) return false;
  const [, scheme, authority, path = "", query = "", fragment = ""] = match;
  if (scheme !== undefined && !/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme)) return false;
  // Else the first segment would be read as a scheme.
  if (scheme === undefined && authority === undefined && /^[^/]*:/.test(path)) return false;
  return (
    (authority === undefined ? !path.startsWith("//") : isAuthority(authority)) &&
    PATH.test(path) &&
    QUERY.test(query) &&
    QUERY.test(fragment)
  );
}

function isAuthority(text: string): boolean {
  const match = /^(?:([^@]*)@)?(\[[^\]]*\]|[^:]*)(?::([0-9]*))?$/.exec(text);
  if (match === null) return false;
  const [, user = "", host = ""] = match;
  const literal = /^\[(.*)\]$/.exec(host)?.[1];
  const goodHost =
    literal === undefined
      ? HOST.test(host)
      : isIpv6(literal) || /^[vV][0-9a-fA-F]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+$/.test(literal);
  return USER.test(user) && goodHost;
}

export const FORMATS: Readonly<Record<string, Check>> = {
  "date-time": (text) => /^.{10}[tT]/.test(text) && isDate(text.slice(0, 10)) && isTime(text.slice(11)),
  date: isDate,
  time: isTime,
  duration: (text) => DURATION.test(text),
  email: isEmail,
  hostname: isHostname,
  ipv4: (text) => IPV4.test(text),
  ipv6: isIpv6,
  uri: (text) => /^[A-Za-z][A-Za-z0-9+.-]*:/.test(text) && isUriReference(text),
  "uri-reference": isUriReference,
  uuid: (text) => /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/.test(text),
  "json-pointer": (text) => /^(?:\/(?:[^~/]|~[01])*)*$/.test(text),
  regex: (text) => {
    try {
      compilePattern(text);
      return true;
    } catch {
      return false;
    }
  },
};
