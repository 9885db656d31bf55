// The frame kernel: AssemblyScript of assembly/ to WebAssembly, which lies in the sources as a module of base64, so that they run
// without a build. With --check it writes nothing, and fails where the module is not what would be written.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup.mjs'

const folder = join(root, 'assembly')
const target = join(root, 'src/crypto/kernel/binary.ts')
/** 16 MiB, which does not grow: to grow would take the memory away from all that look at it. */
const pages = '256'
const options = ['--enable', 'simd', '--enable', 'bulk-memory', '-O3', '--noAssert', '--runtime', 'stub']

/** The module as the sources make it. */
async function kernelModule() {
  const { default: asc } = await import('assemblyscript/asc')
  const { secretbox } = await import('../assembly/secretbox.mjs')
  const written = new Map([['secretbox.ts', secretbox]])
  let binary
  const { error } = await asc.main(
    ['frames.ts', '--outFile', 'frames.wasm', ...options, '--initialMemory', pages, '--maximumMemory', pages],
    {
      readFile: (name) => written.get(name) ?? readOr(join(folder, name)),
      writeFile: (_name, bytes) => (binary = bytes),
      listFiles: () => [],
      stderr: process.stderr,
    },
  )
  if (error) throw new Error(`the frame kernel cannot be compiled: ${error.message}`)
  return moduleText(Buffer.from(binary).toString('base64'))
}

function readOr(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The compiler tries several names for what a module imports.
    return null
  }
}

function moduleText(base64) {
  return `// Written by scripts/kernel.mjs from assembly/; change those instead.\nexport const frameKernelBase64: string =\n  '${base64}'\n`
}

const text = await kernelModule()
if (process.argv[2] !== '--check') writeFileSync(target, text)
else if (readFileSync(target, 'utf8') !== text) {
  console.error('src/crypto/kernel/binary.ts is stale: npm run kernel writes it')
  process.exitCode = 1
}
