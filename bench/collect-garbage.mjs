/** Loaded into a process that is measured: on SIGUSR2 it collects its garbage and says on stderr how much heap is left, in bytes. */
process.on('SIGUSR2', () => {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  process.stderr.write(`heap ${heapUsed + external}\n`)
})
