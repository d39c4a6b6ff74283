/** The systemd unit of a runner: nothing of the machine is writable, the token is in a file that only root reads. */
export type Unit = {
  environment: string;
  url: string;
  /** The whole command line, without the token. */
  command: readonly string[];
  user: string;
  tokenFile: string;
};

export function renderUnit({ environment, url, command, user, tokenFile }: Unit): string {
  return `# Made by opctl runner install. A runner of the environment ${environment}.
[Unit]
Description=Switchyard runner for ${environment}
Wants=network-online.target
After=network-online.target

[Service]
User=${user}
Environment=${quote(`SWITCHYARD_URL=${url}`).replaceAll("$$", "$")}
# One line: SWITCHYARD_TOKEN=sy_…; owned by root, mode 0600.
EnvironmentFile=${tokenFile}
ExecStart=${command.map(quote).join(" ")}
Restart=always
RestartSec=2
# SIGTERM drains: what runs is finished, for so long.
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=900
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=no
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
LockPersonality=yes
StateDirectory=switchyard-runner
WorkingDirectory=/var/lib/switchyard-runner

[Install]
WantedBy=multi-user.target
`;
}

/** systemd reads quotes, backslashes, dollars and percents of its own in a word. */
export function quote(word: string): string {
  const escaped = word
    .replaceAll("\\", String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll("$", "$$$$")
    .replaceAll("%", "%%");
  return /^[A-Za-z0-9_@:.,/=+-]+$/.test(word) ? word : `"${escaped}"`;
}
