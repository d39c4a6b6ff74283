/** Every scheme, by the word for it in a webhook's row. */
import type { WebhookScheme } from "../../../model/triggers.ts";
import { github } from "./github.ts";
import { hmac } from "./hmac.ts";
import type { Scheme } from "./scheme.ts";
import { slack } from "./slack.ts";
import { standard } from "./standard.ts";
import { stripe } from "./stripe.ts";
import { none, token } from "./token.ts";

export const SCHEMES: Readonly<Record<WebhookScheme, Scheme>> = { standard, github, stripe, slack, hmac, token, none };
