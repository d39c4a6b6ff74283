/**
 * What the edge can do with artifacts, over the shards and the store. An id names its shard, so a look-up touches one
 * object; a listing asks all of them for a page and merges.
 */
import { SwitchyardError } from "../../core/errors.ts";
import { shardOfExecutionId } from "../../core/ids.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ArtifactQuery, ArtifactView } from "../../model/execution.ts";
import type { Artifacts, Page } from "../port.ts";
import type { ArtifactShardRpc, Content, LocatedArtifact, Remote } from "./artifact-rpc.ts";
import { shardOfArtifactId, tailOf } from "./artifact-ids.ts";
import { askStore } from "./_store-error.ts";
import { uploadContent } from "./upload-content.ts";

/** Well before a shard takes the upload for abandoned. */
const UPLOAD_MAX_MS = 12 * 60 * 60_000;
const NAME_CHARS = 255;
const CONTENT_TYPE = /^[\x20-\x7e]{1,255}$/;
const TAIL = /^[0-9a-hjkmnp-tv-z]{25}$/;

export type ArtifactsOptions = {
  shard: (shard: number) => Remote<ArtifactShardRpc>;
  shards: number;
  bucket: R2Bucket;
  /** The output of an execution as JSON text, wherever it is kept. */
  outputOf: (executionId: string) => Promise<string | undefined>;
  now: () => number;
};

type NewArtifact = {
  name: string;
  contentType: string;
  body: ReadableStream<Uint8Array>;
  /** For an execution without a record yet: a synchronous call's. */
  operation?: string;
};

export class ShardedArtifacts implements Artifacts {
  readonly #options: ArtifactsOptions;

  constructor(options: ArtifactsOptions) {
    this.#options = options;
  }

  async find(id: string): Promise<ArtifactView | undefined> {
    return (await this.#locate(id))?.view;
  }

  async read(id: string): Promise<{ view: ArtifactView; body: ReadableStream<Uint8Array> } | undefined> {
    const located = await this.#locate(id);
    if (located === undefined) return undefined;
    const { view, key } = located;
    if (key === null) {
      const text = await this.#options.outputOf(view.execution_id);
      return text === undefined ? undefined : { view, body: new Blob([text]).stream() };
    }
    const object = await askStore(`read "${id}"`, () => this.#options.bucket.get(key));
    if (object === null || object.size !== view.size_bytes) {
      throw new SwitchyardError(
        "payload_lost",
        `Cannot read "${id}": ${view.size_bytes} bytes must be in the store; there are ${object?.size ?? "none"}`,
      );
    }
    return { view, body: object.body };
  }

  async list(query: ArtifactQuery): Promise<Page<ArtifactView>> {
    const { cursor, limit, ...conditions } = query;
    if (cursor !== undefined && !TAIL.test(cursor)) {
      throw new SwitchyardError(
        "bad_request",
        `Cannot go on from "${cursor}": a cursor is what a page before gave as next_cursor; it is not`,
      );
    }
    const shards = this.#shardsOf(query);
    const pages = await Promise.all(
      shards.map((shard) =>
        this.#ask(() =>
          this.#options
            .shard(shard)
            // One more than wanted tells whether there is a page after this.
            .listArtifacts({ ...conditions, limit: limit + 1, ...(cursor === undefined ? {} : { before: cursor }) }),
        ),
      ),
    );
    const merged = pages.flat().toSorted((a, b) => (tailOf(a.id) < tailOf(b.id) ? 1 : -1));
    const items = merged.slice(0, limit);
    const last = items.at(-1);
    return { items, next_cursor: merged.length > limit && last !== undefined ? tailOf(last.id) : null };
  }

  async put(execution: string, content: NewArtifact): Promise<ArtifactView> {
    const { name, contentType, body, operation } = content;
    const number = shardOfExecutionId(execution);
    if (number === undefined) throw refusal("execution", execution, "must be an id");
    if (name === "" || name.length > NAME_CHARS) {
      throw refusal("name", name.slice(0, NAME_CHARS), `must have 1 to ${NAME_CHARS} characters`);
    }
    if (!CONTENT_TYPE.test(contentType)) throw refusal("content_type", contentType, "must be a media type");
    const shard = this.#options.shard(number);
    const begun = await this.#ask(() =>
      shard.beginArtifact({
        execution,
        name,
        content_type: contentType,
        ...(operation === undefined ? {} : { operation }),
      }),
    );
    if (!begun.ok) throw thrown(begun.error);
    const { id, key } = begun;
    try {
      const stored = await this.#upload(id, key, { body, contentType });
      const finished = await this.#ask(() => shard.finishArtifact(id, stored));
      if (!finished.ok) throw thrown(finished.error);
      return finished.view;
    } catch (error) {
      // Without this the sweep finds it in a day.
      await shard.abandonArtifact(id).catch(() => undefined);
      throw error;
    }
  }

  /** To be durable before the execution is accepted whose input names these artifacts. */
  async hold(execution: string, artifacts: readonly string[]): Promise<void> {
    const byShard = Map.groupBy(artifacts, shardOfArtifactId);
    await Promise.all(
      [...byShard].map(async ([number, ids]) => {
        if (number === undefined || number >= this.#options.shards) return;
        await this.#ask(() => this.#options.shard(number).holdArtifacts(execution, ids));
      }),
    );
  }

  #upload(
    id: string,
    key: string,
    content: { body: ReadableStream<Uint8Array>; contentType: string },
  ): Promise<Content> {
    const { now, bucket } = this.#options;
    return uploadContent(bucket, content.body, {
      key,
      now,
      contentType: content.contentType,
      limitBytes: LIMITS.artifactBytes,
      until: now() + UPLOAD_MAX_MS,
      began: async (uploadId) => {
        const shard = this.#options.shard(shardOfArtifactId(id) ?? 0);
        if (await this.#ask(() => shard.noteArtifactUpload(id, uploadId))) return;
        throw refusal("artifact", id, "must still be open");
      },
    });
  }

  async #locate(id: string): Promise<LocatedArtifact | undefined> {
    const shard = shardOfArtifactId(id);
    if (shard === undefined || shard >= this.#options.shards) return undefined;
    return this.#ask(() => this.#options.shard(shard).locateArtifact(id));
  }

  #shardsOf({ execution }: ArtifactQuery): number[] {
    if (execution === undefined) return Array.from({ length: this.#options.shards }, (_, shard) => shard);
    const shard = shardOfExecutionId(execution);
    return shard === undefined || shard >= this.#options.shards ? [] : [shard];
  }

  async #ask<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      throw new SwitchyardError(
        "state_unavailable",
        `Cannot reach the artifacts: their shard must answer; it failed with ${String(cause)}`,
        { cause },
      );
    }
  }
}

function refusal(what: string, value: string, rule: string): SwitchyardError {
  return new SwitchyardError("bad_request", `Cannot store an artifact with ${what} "${value}": it ${rule}; it is not`);
}

function thrown({ code, detail }: { code: SwitchyardError["code"]; detail: string }): SwitchyardError {
  return new SwitchyardError(code, detail);
}
