/**
 * The adapters of this version, by the names that environments give. The composition root wires each; the registry
 * accepts environments of no other.
 */
export const ADAPTERS = ["inline"] as const;
