// Package outcomes tries whether an update without disturbance ends as the table
// says: a good release, a release that is bad in each possible way, a device
// whose way back is barred, a release whose units would end the updater, a
// service that is masked, a device without any version.
package outcomes
