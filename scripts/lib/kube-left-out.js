// Stands for packages that @kubernetes/client-node uses to read kubeconfigs and to send requests,
// both of which the program does itself (src/cluster/access.ts, src/cluster/api-http.ts).
export default undefined;
export const [Headers, base64url] = [];
