// Package fleet lets a device update itself: it asks a Source what there is, decides when
// to fetch and install it, and tells what became of it.
package fleet
