// Package origin tries whether what runs is what is committed: devices on which a
// service does not follow the versions, as those of the predecessor's script or a copy
// in the link's place; services that an interpreter runs; processes that a version has
// left behind; and services that are declared to be outside the versions.
package origin
