# Writes $KUBECONFIG from what the pipeline's system keeps: HOLDFAST_SERVER (https://hub.example:6443), HOLDFAST_CA (a file
# with the hub's certificate authority) and HOLDFAST_TOKEN. Sourced: the token is in no command line and in no log.
umask 077
cat > "$KUBECONFIG" <<EOF
apiVersion: v1
kind: Config
current-context: fleet
clusters:
- name: fleet
  cluster: { server: "$HOLDFAST_SERVER", certificate-authority: "$HOLDFAST_CA" }
users:
- name: pipeline
  user: { token: "$HOLDFAST_TOKEN" }
contexts:
- name: fleet
  context: { cluster: fleet, user: pipeline, namespace: shop }
EOF
