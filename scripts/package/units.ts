/** systemd units of the two programs, which are in `bin`. */

/**
 * The agent waits for nothing but the engine: it starts what it knows without a network. It is the last that is to go
 * when memory is short, and tries again for ever.
 */
const agentUnit = (bin: string) => `[Unit]
Description=Holdfast agent: runs what the hub wants on this device
Documentation=man:holdfast-agent(1)
After=docker.service podman.socket
Wants=docker.service
StartLimitIntervalSec=0

[Service]
ExecStart=${bin}/holdfast-agent run
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
KillMode=mixed
TimeoutStopSec=20
OOMScoreAdjust=-900
LimitNOFILE=65536
UMask=0077

[Install]
WantedBy=multi-user.target
`;

/** The hub needs no root, and nothing of the machine but its data, and a place for its audit log. */
const hubUnit = (bin: string) => `[Unit]
Description=Holdfast hub
Documentation=man:holdfast(1)
After=network.target
StartLimitIntervalSec=0

[Service]
User=holdfast
Group=holdfast
ExecStart=${bin}/holdfast hub
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
TimeoutStopSec=30
LimitNOFILE=1048576
UMask=0077
StateDirectory=holdfast/hub
StateDirectoryMode=0700
LogsDirectory=holdfast
LogsDirectoryMode=0750
Environment=NODE_COMPILE_CACHE=/var/lib/holdfast/hub/cache
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE
NoNewPrivileges=true
PrivateDevices=true
PrivateTmp=true
ProtectControlGroups=true
ProtectHome=true
ProtectKernelModules=true
ProtectKernelTunables=true
ProtectSystem=strict
RestrictSUIDSGID=true
LockPersonality=true

[Install]
WantedBy=multi-user.target
`;

export const UNITS = {
  'holdfast-agent': { name: 'holdfast-agent.service', of: agentUnit },
  holdfast: { name: 'holdfast-hub.service', of: hubUnit },
} as const;
