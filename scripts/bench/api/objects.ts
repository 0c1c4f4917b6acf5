const NODE = 'bench-node';

export function nodeJson(): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
}

/** Pods as a fleet has them, as JSON for a POST: about 1.2 KiB each, no two of the same name. */
export function podJson(name: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { app: 'bench', 'pod-template-hash': 'abcdef' },
      annotations: { note: 'x'.repeat(100) },
    },
    spec: {
      nodeName: NODE,
      containers: [
        {
          name: 'main',
          image: 'holdfast.test/app:1',
          env: Array.from({ length: 5 }, (_, index) => ({ name: `VARIABLE_${index}`, value: 'value' })),
          resources: { requests: { cpu: '100m', memory: '64Mi' } },
          ports: [{ containerPort: 8080 }],
        },
      ],
    },
  });
}

export function configMapJson(name: string, text: string): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { text } });
}
