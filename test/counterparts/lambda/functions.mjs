/** Functions of a team's own, which know nothing of Switchyard. */
export async function echo(event, context) {
  return { from: "node", event, custom: context.clientContext?.custom ?? null };
}

export async function failing() {
  throw new TypeError("the picture has no pixels");
}

export async function slow() {
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  return {};
}
