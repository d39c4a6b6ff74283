/**
 * A connection to a NATS server, as far as request and reply need it (docs.nats.io, "Client protocol"): INFO, CONNECT,
 * PING, SUB, HPUB, MSG and HMSG, each a line that ends in CRLF, messages followed by their bytes.
 */
import type { AdapterPorts } from "switchyard/adapter";

type TcpConnection = ReturnType<ReturnType<AdapterPorts["connectOn"]>>;

export type NatsMessage = {
  subject: string;
  replyTo: string | undefined;
  /** Of the first line of the headers, `NATS/1.0 503`: 503 is "nobody listens". */
  status: number | undefined;
  /** Names in lower case. */
  headers: ReadonlyMap<string, string>;
  payload: string;
};

/** The server's own word: `Authorization Violation`, `maximum payload exceeded`. */
export class NatsRefusal extends Error {}

const CRLF = "\r\n";
const VERSION = "NATS/1.0";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class NatsConnection {
  readonly #tcp: TcpConnection;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #subscriptions = 0;
  /** The longest message that the server takes. Bytes. */
  maxPayload = 1024 * 1024;

  constructor(tcp: TcpConnection) {
    this.#tcp = tcp;
    this.#reader = tcp.readable.getReader();
    this.#writer = tcp.writable.getWriter();
  }

  /** Throws NatsRefusal for credentials that the server does not take. */
  async open(credentials: { user?: string; pass?: string; auth_token?: string }): Promise<void> {
    const info = await this.#line();
    if (!info.startsWith("INFO "))
      throw new Error(`a NATS server begins with INFO; this one with ${info.slice(0, 40)}`);
    this.maxPayload = (JSON.parse(info.slice(5)) as { max_payload?: number }).max_payload ?? this.maxPayload;
    const options = {
      verbose: false,
      pedantic: false,
      headers: true,
      no_responders: true,
      lang: "js",
      version: "0.1.0",
    };
    await this.#send(`CONNECT ${JSON.stringify({ ...options, ...credentials })}${CRLF}PING${CRLF}`);
    while ((await this.#line()) !== "PONG");
  }

  async subscribe(subject: string): Promise<void> {
    this.#subscriptions += 1;
    await this.#send(`SUB ${subject} ${this.#subscriptions}${CRLF}`);
  }

  /** Resolves when the bytes have left. */
  async publish(
    subject: string,
    message: { replyTo?: string; headers?: Readonly<Record<string, string>>; payload: string },
  ): Promise<void> {
    const lines = Object.entries(message.headers ?? {}).map(([name, value]) => `${name}: ${value}${CRLF}`);
    const head = encoder.encode(`${VERSION}${CRLF}${lines.join("")}${CRLF}`);
    const payload = encoder.encode(message.payload);
    const words = ["HPUB", subject, ...(message.replyTo === undefined ? [] : [message.replyTo])];
    const line = `${words.join(" ")} ${head.length} ${head.length + payload.length}${CRLF}`;
    await this.#send(line, head, payload, encoder.encode(CRLF));
  }

  async next(): Promise<NatsMessage> {
    for (;;) {
      const line = await this.#line();
      const [verb = "", subject = "", , ...rest] = line.split(" ");
      if (verb !== "MSG" && verb !== "HMSG") continue;
      const sizes = rest.slice(verb === "MSG" ? -1 : -2).map(Number);
      const replyTo = rest.length > sizes.length ? rest[0] : undefined;
      const total = sizes.at(-1) ?? 0;
      const headBytes = verb === "MSG" ? 0 : (sizes[0] ?? 0);
      const bytes = await this.#bytes(total + CRLF.length);
      const [version = "", ...lines] = decoder.decode(bytes.subarray(0, headBytes)).split(CRLF);
      const headers = new Map(
        lines.flatMap((each): [string, string][] => {
          const colon = each.indexOf(":");
          return colon < 1 ? [] : [[each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim()]];
        }),
      );
      const status = /^NATS\/1\.0 (\d{3})/.exec(version)?.[1];
      const payload = decoder.decode(bytes.subarray(headBytes, total));
      return { subject, replyTo, status: status === undefined ? undefined : Number(status), headers, payload };
    }
  }

  async close(): Promise<void> {
    await this.#tcp.close().catch(() => undefined);
  }

  async #send(...parts: (string | Uint8Array)[]): Promise<void> {
    for (const part of parts) await this.#writer.write(typeof part === "string" ? encoder.encode(part) : part);
  }

  async #line(): Promise<string> {
    for (let from = 0; ;) {
      const end = this.#rest.indexOf(10, from);
      if (end > 0) {
        const line = decoder.decode(this.#rest.subarray(0, end - 1));
        this.#rest = this.#rest.subarray(end + 1);
        if (line === "PING") await this.#send(`PONG${CRLF}`);
        if (line.startsWith("-ERR")) throw new NatsRefusal(line.slice(5).replaceAll("'", ""));
        return line;
      }
      from = this.#rest.length;
      await this.#more();
    }
  }

  async #bytes(count: number): Promise<Uint8Array> {
    while (this.#rest.length < count) await this.#more();
    const bytes = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return bytes;
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#reader.read();
    if (done) throw new Error("the server closed the connection");
    const joined = new Uint8Array(this.#rest.length + value.length);
    joined.set(this.#rest);
    joined.set(value, this.#rest.length);
    this.#rest = joined;
  }
}
