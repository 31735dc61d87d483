package journal

// The journal keeps the names below and compares them; it does not know what
// they mean, but for the few that the fold counts by (the ends of an update, the kind
// probation, the trigger lack). Package engine has the states, triggers and rules, package steps
// the steps and kinds. A name that this program does not know is kept.

// State is the name of a state in which an update may be ("Switching").
type State string

// Kind is the name of what an update is for ("install").
type Kind string

// Step is the name of one unit of an update's work ("Download").
type Step string

// Trigger is the name of what moved an update from one state to the next
// ("succeed").
type Trigger string

// Rule is the name of the rule by which something was done outside of the steps,
// mostly by recovery ("forward").
type Rule string
