#!/usr/bin/env node
// The door of opctl. Written so that an old Node.js can still read it and say what is wrong; it answers --version
// without loading anything, because that is what scripts ask most often.
import * as fs from "fs";
import * as nodeModule from "module";
import { fileURLToPath } from "url";

var here = new URL(".", import.meta.url);
var manifest = JSON.parse(fs.readFileSync(fileURLToPath(new URL("../package.json", here)), "utf8"));
var wanted = Number(/[0-9]+/.exec(manifest.engines.node)[0]);
var words = process.argv.slice(2);

if (words.length > 0 && (words[0] === "--version" || words[0] === "-V")) {
  process.stdout.write(manifest.version + "\n");
} else if (Number(process.versions.node.split(".")[0]) < wanted) {
  process.stderr.write(
    "error: Cannot run opctl on Node.js " +
      process.versions.node +
      ": it needs " +
      wanted +
      " or newer; it is " +
      process.execPath +
      " (node_unsupported)\n" +
      "next:  In the repository, `npm ci` installs Node.js " +
      wanted +
      " and `npx opctl` uses it.\n" +
      "       Elsewhere install Node.js " +
      wanted +
      ", or `npm i node@" +
      wanted +
      "` beside switchyard.\n",
  );
  process.exitCode = 2;
} else {
  if (nodeModule.enableCompileCache) nodeModule.enableCompileCache();
  // In the repository the sources run as they are; a packed package has only what was built from them.
  var source = new URL("./main.ts", here);
  var target = fs.existsSync(fileURLToPath(source)) ? source : new URL("../dist/opctl.js", here);
  import(target.href)
    .then(function (opctl) {
      return opctl.main(words);
    })
    .catch(function (error) {
      process.stderr.write(
        "error: Cannot start opctl: its own code failed (internal)\n" + String(error && error.stack) + "\n",
      );
      process.exitCode = 6;
    });
}
