import t from 'tap';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { SYSTEM_PRIORITY_CLASSES } from '../../../hub/resources/priority-class.ts';
import {
  certificateSigningRequests,
  clusterRoleBindings,
  clusterRoles,
  podDisruptionBudgets,
  priorityClasses,
  roleBindings,
  roles,
  runtimeClasses,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from '../../../hub/resources/table-of-resources.ts';
import type { CertificateSigningRequestObject } from '../../../hub/resources/typed.ts';
import {
  cells,
  columnNames,
  created,
  errorsOf,
  type Loose,
  NOW,
  refuses,
  refusesUpdates,
  sample,
} from './rule-rows.ts';

const spec = (fields: Loose) => ({ spec: fields });
const RBAC = 'rbac.authorization.k8s.io';

t.test('PodDisruptionBudget', async (t) => {
  refuses(t, podDisruptionBudgets, [
    [
      spec({ maxUnavailable: 1, selector: undefined }),
      'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set',
    ],
    [spec({ minAvailable: -1 }), 'spec.minAvailable: Invalid value: -1: must be greater than or equal to 0'],
    [
      spec({ minAvailable: '150%' }),
      'spec.minAvailable: Invalid value: "150%": must not be greater than 100%',
    ],
    [
      spec({ unhealthyPodEvictionPolicy: 'x' }),
      'spec.unhealthyPodEvictionPolicy: Unsupported value: "x": supported values: "AlwaysAllow", "IfHealthyBudget"',
    ],
    [
      spec({ selector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }),
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    ],
  ]);
  t.equal(
    columnNames(podDisruptionBudgets),
    'Name, Min Available, Max Unavailable, Allowed Disruptions#, Age',
  );
  t.same(cells(podDisruptionBudgets, { status: { disruptionsAllowed: 2 } }), [
    'sample',
    '1',
    'N/A',
    2,
    '60m',
  ]);
  t.equal(podDisruptionBudgets.updateNeedsVersion, true);
});

t.test('PriorityClass', async (t) => {
  const reserved =
    "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: ";
  t.match(sample(priorityClasses), { preemptionPolicy: 'PreemptLowerPriority' });
  refuses(t, priorityClasses, [
    [
      { value: 1_000_000_001 },
      'value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
    ],
    [
      { preemptionPolicy: 'x' },
      'preemptionPolicy: Unsupported value: "x": supported values: "PreemptLowerPriority", "Never"',
    ],
    [{ metadata: { name: 'system-mine' } }, `${reserved}system-mine is not a known system priority class`],
    [
      { metadata: { name: 'system-node-critical' } },
      `${reserved}value of system-node-critical PriorityClass must be 2000001000`,
    ],
    [
      { metadata: { name: 'system-cluster-critical' }, value: 2_000_000_000, globalDefault: true },
      `${reserved}globalDefault of system-cluster-critical PriorityClass must be false`,
    ],
  ]);
  refusesUpdates(t, priorityClasses, {}, [
    [{ value: 2 }, 'value: Forbidden: may not be changed in an update.'],
    [{ preemptionPolicy: 'Never' }, 'preemptionPolicy: Invalid value: "Never": field is immutable'],
    [{ description: 'x', globalDefault: true }],
  ]);
  for (const each of SYSTEM_PRIORITY_CLASSES) {
    const { value, metadata } = each;
    t.same(errorsOf(priorityClasses, sample(priorityClasses, { value, metadata })), [], metadata.name ?? '');
  }
  t.same(priorityClasses.protectedNames, ['system-cluster-critical', 'system-node-critical']);
  t.equal(columnNames(priorityClasses), 'Name, Value#, Global-Default?, Age, PreemptionPolicy');
  t.same(cells(priorityClasses), ['sample', 1000, false, '60m', 'PreemptLowerPriority']);
});

t.test('RuntimeClass', async (t) => {
  refuses(t, runtimeClasses, [
    [{ handler: '' }, 'handler: Required value'],
    [
      { overhead: { podFixed: { cpu: '-1' } } },
      'overhead.podFixed[cpu]: Invalid value: "-1": must be greater than or equal to 0',
    ],
    [
      { scheduling: { tolerations: [{ key: 'a', operator: 'x' }] } },
      'scheduling.tolerations[0].operator: Unsupported value: "x": supported values: "Equal", "Exists"',
    ],
  ]);
  refusesUpdates(t, runtimeClasses, {}, [
    [{ handler: 'x' }, 'handler: Invalid value: "x": field is immutable'],
  ]);
  t.same(cells(runtimeClasses), ['sample', 'runc', '60m']);
});

t.test('Role and ClusterRole', async (t) => {
  const rule = (fields: Loose) => ({
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'], ...fields }],
  });
  for (const definition of [roles, clusterRoles])
    refuses(t, definition, [
      [rule({ verbs: [] }), 'rules[0].verbs: Required value: verbs must contain at least one value'],
      [
        rule({ apiGroups: [] }),
        'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
      ],
      [
        rule({ resources: [] }),
        'rules[0].resources: Required value: resource rules must supply at least one resource',
      ],
      [{ metadata: { name: 'system:node' } }],
      [{ metadata: { name: 'a/b' } }, `metadata.name: Invalid value: "a/b": may not contain '/'`],
    ]);
  const both = 'rules cannot apply to both regular resources and non-resource URLs';
  const paths = { apiGroups: [], resources: [], nonResourceURLs: ['/healthz'] };
  refuses(t, clusterRoles, [
    [rule({ nonResourceURLs: ['/a'] }), `rules[0].nonResourceURLs: Invalid value: ["/a"]: ${both}`],
    [rule(paths)],
    [
      { aggregationRule: {} },
      'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
    ],
    [
      { aggregationRule: { clusterRoleSelectors: [{ matchExpressions: [{ key: 'a', operator: 'x' }] }] } },
      'aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: "x": not a valid selector operator',
    ],
  ]);
  refuses(t, roles, [
    [
      rule(paths),
      'rules[0].nonResourceURLs: Invalid value: ["/healthz"]: namespaced rules cannot apply to non-resource URLs',
    ],
  ]);
  t.same(cells(roles), ['sample', '2026-01-01T00:00:00Z']);
  t.equal(columnNames(clusterRoles), 'Name, Created At@');
});

t.test('RoleBinding and ClusterRoleBinding', async (t) => {
  const bare = { metadata: {}, roleRef: { kind: 'Role', name: 'x' } } as unknown as KubeObject;
  roleBindings.setDefaults?.(bare);
  t.match(bare, { roleRef: { apiGroup: RBAC } });
  t.match(sample(roleBindings), {
    roleRef: { apiGroup: RBAC },
    subjects: [{ apiGroup: RBAC }, { apiGroup: RBAC }, { kind: 'ServiceAccount', apiGroup: undefined }],
  });
  const subject = (fields: Loose) => ({ subjects: [fields] });
  for (const definition of [roleBindings, clusterRoleBindings])
    refuses(t, definition, [
      [
        { roleRef: { apiGroup: 'x' } },
        `roleRef.apiGroup: Unsupported value: "x": supported values: "${RBAC}"`,
      ],
      [{ roleRef: { name: '' } }, 'roleRef.name: Required value'],
      [subject({ kind: 'User' }), 'subjects[0].name: Required value'],
      [
        subject({ kind: 'x', name: 'a' }),
        'subjects[0].kind: Unsupported value: "x": supported values: "ServiceAccount", "User", "Group"',
      ],
      [
        subject({ kind: 'User', name: 'a', apiGroup: 'x' }),
        `subjects[0].apiGroup: Unsupported value: "x": supported values: "${RBAC}"`,
      ],
      [
        subject({ kind: 'ServiceAccount', name: 'a', namespace: 'n', apiGroup: 'x' }),
        'subjects[0].apiGroup: Unsupported value: "x": supported values: ""',
      ],
    ]);
  refuses(t, roleBindings, [
    [
      { roleRef: { kind: 'x' } },
      'roleRef.kind: Unsupported value: "x": supported values: "Role", "ClusterRole"',
    ],
    [subject({ kind: 'ServiceAccount', name: 'a' })],
  ]);
  refuses(t, clusterRoleBindings, [
    [
      { roleRef: { kind: 'Role' } },
      'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
    ],
    [subject({ kind: 'ServiceAccount', name: 'a' }), 'subjects[0].namespace: Required value'],
  ]);
  const other = { kind: 'Role', name: 'other', apiGroup: RBAC };
  refusesUpdates(t, roleBindings, {}, [
    [
      { roleRef: other },
      `roleRef: Invalid value: {"kind":"Role","name":"other","apiGroup":"${RBAC}"}: cannot change roleRef`,
    ],
    [{ subjects: [] }],
  ]);
  t.equal(columnNames(roleBindings), 'Name, Role, Age, Users*, Groups*, ServiceAccounts*');
  t.same(cells(roleBindings), ['sample', 'Role/sample', '60m', 'ann', 'staff', 'default/robot']);
});

t.test('CertificateSigningRequest', async (t) => {
  const request = created(certificateSigningRequests, spec({ username: 'somebody else', uid: 'x' }));
  t.match(request.spec, { username: 'ann', groups: ['staff'], uid: undefined });
  const usages =
    'supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "server auth", "s/mime", "signing", "timestamping"';
  refuses(t, certificateSigningRequests, [
    [
      spec({ request: 'eA==' }),
      'spec.request: Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST',
    ],
    [spec({ usages: [] }), 'spec.usages: Required value'],
    [spec({ usages: ['x'] }), `spec.usages[0]: Unsupported value: "x": ${usages}`],
    [spec({ usages: ['signing', 'signing'] }), 'spec.usages[1]: Duplicate value: "signing"'],
    [spec({ signerName: '' }), 'spec.signerName: Required value'],
    [
      spec({ signerName: 'x' }),
      'spec.signerName: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    [
      spec({ signerName: 'kubernetes.io/legacy-unknown' }),
      'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
    ],
    [
      spec({ expirationSeconds: 10 }),
      'spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 600 seconds (10 minutes)',
    ],
  ]);
  const changed = structuredClone(request) as CertificateSigningRequestObject;
  changed.spec.signerName = 'a.io/b';
  certificateSigningRequests.prepareForUpdate?.(changed, request);
  t.same(changed.spec, request.spec, 'what was asked for stays');
  t.equal(
    columnNames(certificateSigningRequests),
    'Name, Age, SignerName, Requestor, RequestedDuration, Condition',
  );
  t.same(cells(certificateSigningRequests, spec({ expirationSeconds: 3600 })), [
    'sample',
    '60m',
    'example.com/signer',
    'ann',
    '60m',
    'Pending',
  ]);
});

t.test('CertificateSigningRequest: approval', async (t) => {
  const approve = certificateSigningRequests.parts?.['approval'];
  if (!approve) throw new Error('a request is approved');
  const request = created(certificateSigningRequests);
  const withConditions = (...conditions: Loose[]) => ({ ...request, status: { conditions } });
  const approved = approve(withConditions({ type: 'Approved', status: 'True' }), request, NOW);
  t.match(approved.status, {
    conditions: [
      {
        type: 'Approved',
        lastUpdateTime: '2026-01-01T01:00:00Z',
        lastTransitionTime: '2026-01-01T01:00:00Z',
      },
    ],
  });
  const problems = (next: typeof request, old: typeof request, part: string) =>
    errorsOf(certificateSigningRequests, next, old, part);
  t.same(problems(approved, request, 'approval'), []);
  t.same(problems(request, approved, 'approval'), [
    'status.conditions: Forbidden: update may not remove a condition of type "Approved"',
  ]);
  t.same(problems(approved, request, 'status'), [
    'status.conditions: Forbidden: update may not add a condition of type "Approved"',
  ]);
  t.same(problems(withConditions({ type: 'Approved', status: 'True', reason: 'x' }), approved, 'status'), [
    'status.conditions: Forbidden: update may not modify a condition of type "Approved"',
  ]);
  const rows: [Loose[], string][] = [
    [[{ status: 'True' }], 'status.conditions[0].type: Required value'],
    [[{ type: 'a' }], 'status.conditions[0].status: Required value'],
    [
      [{ type: 'Denied', status: 'False' }],
      'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
    ],
    [
      [
        { type: 'Approved', status: 'True' },
        { type: 'Denied', status: 'True' },
      ],
      'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
    ],
    [
      [
        { type: 'a', status: 'True' },
        { type: 'a', status: 'True' },
      ],
      'status.conditions[1].type: Duplicate value: "a"',
    ],
  ];
  for (const [conditions, problem] of rows)
    t.same(problems(withConditions(...conditions), request, 'approval'), [problem]);
  const text = (status: Loose) => cells(certificateSigningRequests, { status }).at(-1);
  t.equal(text({ conditions: [{ type: 'Denied' }] }), 'Denied');
  t.equal(text({ conditions: [{ type: 'Approved' }], certificate: 'x' }), 'Approved,Issued');
  t.equal(text({ conditions: [{ type: 'Approved' }, { type: 'Failed' }] }), 'Approved,Failed');
});

t.test('ValidatingAdmissionPolicy', async (t) => {
  t.match(sample(validatingAdmissionPolicies).spec, {
    failurePolicy: 'Fail',
    matchConstraints: {
      matchPolicy: 'Equivalent',
      namespaceSelector: {},
      objectSelector: {},
      resourceRules: [{ scope: '*' }],
    },
  });
  const rule = (fields: Loose) =>
    spec({
      matchConstraints: {
        resourceRules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], ...fields },
        ],
      },
    });
  const at = 'spec.matchConstraints.resourceRules[0]';
  const validation = (fields: Loose) => spec({ validations: [{ expression: 'true', ...fields }] });
  refuses(t, validatingAdmissionPolicies, [
    [
      spec({ failurePolicy: 'x' }),
      'spec.failurePolicy: Unsupported value: "x": supported values: "Fail", "Ignore"',
    ],
    [
      spec({ paramKind: {} }),
      'spec.paramKind.apiVersion: Required value',
      'spec.paramKind.kind: Required value',
    ],
    [spec({ matchConstraints: undefined }), 'spec.matchConstraints: Required value'],
    [
      spec({ matchConstraints: { resourceRules: [] } }),
      'spec.matchConstraints.resourceRules: Required value',
    ],
    [
      spec({ matchConstraints: { matchPolicy: 'x' } }),
      'spec.matchConstraints.matchPolicy: Unsupported value: "x": supported values: "Equivalent", "Exact"',
    ],
    [rule({ resources: [] }), `${at}.resources: Required value`],
    [
      rule({ apiGroups: ['*', 'apps'] }),
      `${at}.apiGroups: Invalid value: ["*","apps"]: if '*' is present, must not specify other values`,
    ],
    [
      rule({ operations: ['x'] }),
      `${at}.operations[0]: Unsupported value: "x": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"`,
    ],
    [
      rule({ scope: 'x' }),
      `${at}.scope: Unsupported value: "x": supported values: "*", "Cluster", "Namespaced"`,
    ],
    [
      spec({ validations: [] }),
      'spec.validations: Required value: validations or auditAnnotations must be non-empty',
    ],
    [
      validation({ expression: ' ' }),
      'spec.validations[0].expression: Required value: expression is not specified',
    ],
    [
      validation({ message: 'a\nb' }),
      'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks',
    ],
    [
      validation({ message: ' ' }),
      'spec.validations[0].message: Invalid value: " ": message must be non-empty if specified',
    ],
    [
      validation({ reason: 'x' }),
      'spec.validations[0].reason: Unsupported value: "x": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"',
    ],
    [
      spec({ auditAnnotations: [{ key: 'a' }] }),
      'spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified',
    ],
    [
      spec({
        matchConditions: [
          { name: 'a', expression: 'x' },
          { name: 'a', expression: '' },
        ],
      }),
      'spec.matchConditions[1].name: Duplicate value: "a"',
      'spec.matchConditions[1].expression: Required value',
    ],
    [
      spec({ variables: [{ name: 'a-b', expression: 'x' }] }),
      'spec.variables[0].name: Invalid value: "a-b": name is not a valid CEL identifier',
    ],
  ]);
  t.equal(columnNames(validatingAdmissionPolicies), 'Name, Validations#, ParamKind, Age');
  t.same(cells(validatingAdmissionPolicies, spec({ paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } })), [
    'sample',
    1,
    'v1/ConfigMap',
    '60m',
  ]);
});

t.test('ValidatingAdmissionPolicyBinding', async (t) => {
  const reference = (fields: Loose) => spec({ paramRef: { parameterNotFoundAction: 'Deny', ...fields } });
  refuses(t, validatingAdmissionPolicyBindings, [
    [spec({ policyName: '' }), 'spec.policyName: Required value'],
    [spec({ validationActions: [] }), 'spec.validationActions: Required value'],
    [
      spec({ validationActions: ['x'] }),
      'spec.validationActions[0]: Unsupported value: "x": supported values: "Audit", "Deny", "Warn"',
    ],
    [spec({ validationActions: ['Deny', 'Deny'] }), 'spec.validationActions[1]: Duplicate value: "Deny"'],
    [
      spec({ validationActions: ['Deny', 'Warn'] }),
      'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
    ],
    [reference({}), 'spec.paramRef: Required value: one of name or selector must be specified'],
    [
      reference({ name: 'a', selector: {} }),
      'spec.paramRef.name: Forbidden: name and selector are mutually exclusive',
    ],
    [
      spec({ paramRef: { name: 'a', parameterNotFoundAction: 'x' } }),
      'spec.paramRef.parameterNotFoundAction: Unsupported value: "x": supported values: "Allow", "Deny"',
    ],
    [
      spec({ matchResources: { matchPolicy: 'x' } }),
      'spec.matchResources.matchPolicy: Unsupported value: "x": supported values: "Equivalent", "Exact"',
    ],
  ]);
  t.same(cells(validatingAdmissionPolicyBindings), ['sample', 'sample', '<unset>', '60m']);
  t.equal(cells(validatingAdmissionPolicyBindings, reference({ name: 'a', namespace: 'n' }))[2], 'n/a');
  t.equal(cells(validatingAdmissionPolicyBindings, reference({ selector: {} }))[2], '*/*');
});
