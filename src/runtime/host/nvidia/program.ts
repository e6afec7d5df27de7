import { existsSync } from "node:fs"

/** In WSL2 the driver is the one of Windows and puts its tools here, which a service's PATH does not have. */
const IN_WSL = "/usr/lib/wsl/lib/nvidia-smi"

/** The program to call: in WSL2 by its path, elsewhere the one on PATH. */
export function nvidiaSmi(): string {
  return existsSync(IN_WSL) ? IN_WSL : "nvidia-smi"
}
