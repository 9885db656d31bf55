#!/usr/bin/env node
// dist/cli/postern.cjs, what is run first: it looks at the runtime before anything is promised to a parent or a user. In the
// language of 2009, because a Node that is too old for Postern still has to read this file. The rest is main.cjs.
'use strict'

var needed = [20, 19]
var found = process.versions.node.split('.').map(Number)

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  var why = 'Postern needs Node ' + needed.join('.') + ' or newer, and this is Node ' + process.versions.node
  // tor shows the text of an ENV-ERROR that comes before VERSION, and no parent waits for more.
  if (process.env.TOR_PT_MANAGED_TRANSPORT_VER !== undefined) console.log('ENV-ERROR ' + why)
  console.error('postern: ' + why + ' (' + process.execPath + ')')
  process.exitCode = 1
} else {
  require('./main.cjs')
}
