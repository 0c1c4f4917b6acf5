/* Volumes that are directories on one device: what the hub says of them, and the device does. */

/** The annotation by which Kubernetes tells who made a volume, and its value for these. */
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
export const LOCAL_PATH_PROVISIONER = 'holdfast.dev/local-path';
