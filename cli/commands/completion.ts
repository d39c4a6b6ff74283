/**
 * `opctl completion`: a few lines for a shell, which ask opctl itself (`opctl __complete`) at each Tab. So what is
 * offered always is what the command tree and the registry have, and never a copy of it.
 */
import type { Command } from "commander";
import { SwitchyardError } from "../../src/core/errors.ts";
import { contextOf, examples, type CommandModule } from "../command.ts";

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_opctl() {
  local IFS=$'\\n'
  COMPREPLY=($(opctl __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _opctl opctl
`,
  zsh: `#compdef opctl
_opctl() {
  local -a found
  found=("\${(@f)$(opctl __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -Q -- $found; else _files; fi
}
if [[ "$funcstack[1]" = _opctl ]]; then _opctl "$@"; else compdef _opctl opctl; fi
`,
  fish: `complete -c opctl -f -a '(opctl __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
};

export const command: CommandModule = {
  define(command: Command) {
    command.argument("<shell>", Object.keys(SCRIPTS).join(", ")).action((shell: string) => {
      const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
      if (script === undefined) {
        throw new SwitchyardError(
          "usage",
          `Cannot complete for "${shell}": the shell must be one of ${Object.keys(SCRIPTS).join(", ")}`,
        );
      }
      contextOf(command).output.data(script);
    });
    examples(command, [
      ["source <(opctl completion bash)", "in ~/.bashrc"],
      ["source <(opctl completion zsh)", "in ~/.zshrc, after compinit"],
      ["opctl completion fish > ~/.config/fish/completions/opctl.fish", "once"],
    ]);
  },
};
