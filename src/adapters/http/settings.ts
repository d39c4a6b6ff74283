/** Settings that adapters which speak HTTP have in common. */
import * as v from "valibot";

/** Without a slash at its end, so that paths can be put after it. */
export const plainUrl = v.pipe(
  v.string(),
  v.maxLength(2048),
  v.check((text) => {
    const url = URL.parse(text);
    if (url === null || !/^https?:$/.test(url.protocol)) return false;
    return url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  }, "must be a http:// or https:// URL without credentials, query and fragment"),
  v.transform((text) => text.replace(/\/+$/, "")),
);

export const origins = v.optional(
  v.pipe(
    v.array(
      v.pipe(
        v.string(),
        v.check(
          (text) => URL.parse(text)?.origin === text && /^https?:/.test(text),
          "must be an origin: https://name, with a :port where it is not the usual one",
        ),
      ),
    ),
    v.maxLength(64),
  ),
  [],
);

/** Of requests, by whatever stands between: nginx takes 1 MiB unless told, Cloud Run 32 MiB. */
export const maxBodyBytes = v.optional(
  v.pipe(v.number(), v.integer(), v.minValue(1_024), v.maxValue(256 * 1024 * 1024)),
  32 * 1024 * 1024,
);

export const network = v.optional(v.picklist(["public", "private"]), "public");
