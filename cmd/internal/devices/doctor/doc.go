// Package doctor tries whether the doctor tells what ails a device, and whether
// its advice heals it.
package doctor
