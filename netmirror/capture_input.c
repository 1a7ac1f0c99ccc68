#include "netmirror/capture_private.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLISECOND (INT64_C(1000) * 1000)
#define FILE_BATCH 64		       /* packets read from a file in a round */
#define FILE_PAUSE MILLISECOND	       /* until the next look whether reading may go on */
#define FILE_WAIT (1000 * MILLISECOND) /* at most, for an observer to end what has ended */

static struct loop *
input_loop(const struct mirror_capture *capture)
{
	return capture->config.common->front->service.loop;
}

/* -- which packets -- */

/* " or host A" for every address of this machine. */
static int
put_own_addresses(FILE *stream)
{
	struct ifaddrs *list, *each;
	bool first = true;

	if (getifaddrs(&list) == -1)
		return -1;
	for (each = list; each != NULL; each = each->ifa_next) {
		struct address address;
		char text[ADDRESS_TEXT_MAX], *host = text, *end;

		if (each->ifa_addr == NULL ||
		    (each->ifa_addr->sa_family != AF_INET && each->ifa_addr->sa_family != AF_INET6))
			continue;
		address_from_sockaddr(&address, each->ifa_addr,
		    each->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
							 : sizeof(struct sockaddr_in6));
		address_format(&address, text);
		/* "1.2.3.4:0" or "[fe80::1%eth0]:0" */
		if (text[0] == '[')
			host++;
		end = strpbrk(host, text[0] == '[' ? "%]" : ":");
		if (end != NULL)
			*end = '\0';
		fprintf(stream, "%shost %s", first ? "" : " or ", host);
		first = false;
	}
	freeifaddrs(list);
	return first ? -1 : 0;
}

/* The filter, to be freed; NULL with errno. */
static char *
make_filter(const struct capture_config *config)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	int result = 0;

	if (stream == NULL)
		return NULL;
	fprintf(stream, "tcp port %u", config->port);
	if (config->filter != NULL) {
		fprintf(stream, " and (%s)", config->filter);
	} else if (config->file == NULL) {
		fputs(" and (", stream);
		result = put_own_addresses(stream);
		putc(')', stream);
	}
	if (fclose(stream) != 0)
		result = -1;
	if (result == 0)
		return text;
	free(text);
	return NULL;
}

/* -- live -- */

static void
input_packet(void *context, const struct packet *packet)
{
	capture_take(context, packet);
}

static int
open_interface(struct mirror_capture *capture, const char *interface, const char *filter)
{
	struct sniffer_config config = {.loop = input_loop(capture),
	    .interface = interface,
	    .filter = filter,
	    .buffer = capture->config.buffer,
	    .promiscuous = capture->config.filter != NULL && strcmp(interface, "any") != 0,
	    .packet = input_packet,
	    .context = capture};
	char error[SNIFFER_ERROR_MAX];
	struct sniffer *sniffer = sniffer_open(&config, error);

	if (sniffer == NULL) {
		notice(NOTICE_ERROR, "cannot capture on %s: %s", interface, error);
		return -1;
	}
	capture->sniffers[capture->sniffer_count++] = sniffer;
	notice(NOTICE_ANNOUNCE, "capturing on %s: %s", interface, filter);
	return 0;
}

static int
open_interfaces(struct mirror_capture *capture, const char *filter)
{
	const struct capture_config *config = &capture->config;

	capture->sniffers = calloc(config->interface_count + 1, sizeof(struct sniffer *));
	if (capture->sniffers == NULL) {
		notice(NOTICE_ERROR, "capture: %s", strerror(errno));
		return -1;
	}
	if (config->interface_count == 0)
		return open_interface(capture, "any", filter);
	for (size_t i = 0; i < config->interface_count; i++)
		if (open_interface(capture, config->interfaces[i], filter) == -1)
			return -1;
	return 0;
}

/* -- a file -- */

/*
 * A file waits for the observers: while much is queued for them, and while one has not yet ended a
 * connection that is over, so that what came one after the other in the capture does so for them.
 */
static bool
must_wait(struct mirror_capture *capture)
{
	const struct leg_set *legs = &capture->config.common->legs;
	int64_t now = loop_now(input_loop(capture));

	if (legs->service->relays.observed > legs->queue / 4)
		return true;
	if (legs->left_count == 0) {
		capture->wait_until = 0;
		return false;
	}
	if (capture->wait_until == 0)
		capture->wait_until = now + FILE_WAIT;
	return now < capture->wait_until;
}

static void
file_ended(struct mirror_capture *capture)
{
	capture->ended = true;
	capture_end_of_file(capture);
}

static void
file_read(struct timer *timer)
{
	struct mirror_capture *capture = CONTAINER_OF(timer, struct mirror_capture, read);
	int64_t next = 0;

	for (int i = 0; i < FILE_BATCH && next == 0; i++) {
		struct packet packet;
		int got;

		if (must_wait(capture)) {
			next = FILE_PAUSE;
			break;
		}
		got = capture_next(capture->file, &packet);
		if (got == 1) {
			capture_take(capture, &packet);
			continue;
		}
		if (got == -1) {
			notice(NOTICE_ERROR, "%s: %s", capture->config.file,
			    capture_message(capture->file));
			capture->damaged = true;
		}
		file_ended(capture);
		return;
	}
	if (!capture->paused)
		loop_timer_set(input_loop(capture), timer, loop_now(input_loop(capture)) + next);
}

static int
open_file(struct mirror_capture *capture, const char *filter)
{
	char error[CAPTURE_ERROR_MAX];
	struct loop *loop = input_loop(capture);

	capture->file = capture_open(capture->config.file, error);
	if (capture->file == NULL) {
		notice(NOTICE_ERROR, "%s: %s", capture->config.file, error);
		return -1;
	}
	if (capture_filter(capture->file, filter) == -1) {
		notice(NOTICE_ERROR, "filter %s: %s", filter, capture_message(capture->file));
		return -1;
	}
	loop_timer_set(loop, &capture->read, loop_now(loop));
	return 0;
}

/* -- both -- */

int
capture_input_open(struct mirror_capture *capture)
{
	char *filter = make_filter(&capture->config);
	int result;

	timer_init(&capture->read, file_read);
	if (filter == NULL) {
		notice(NOTICE_ERROR, "this machine's addresses are not known: %s", strerror(errno));
		return -1;
	}
	result = capture->config.file != NULL ? open_file(capture, filter)
					      : open_interfaces(capture, filter);
	free(filter);
	return result;
}

void
capture_input_pause(struct mirror_capture *capture, bool pause)
{
	struct loop *loop = input_loop(capture);

	capture->paused = pause;
	for (size_t i = 0; i < capture->sniffer_count; i++)
		sniffer_pause(capture->sniffers[i], pause);
	if (capture->file != NULL && pause)
		loop_timer_cancel(loop, &capture->read);
	else if (capture->file != NULL && !capture->ended)
		loop_timer_set(loop, &capture->read, loop_now(loop));
}

uint64_t
capture_input_dropped(struct mirror_capture *capture)
{
	uint64_t dropped = 0;

	for (size_t i = 0; i < capture->sniffer_count; i++)
		dropped += sniffer_dropped(capture->sniffers[i]);
	return dropped;
}

void
capture_input_close(struct mirror_capture *capture)
{
	loop_timer_cancel(input_loop(capture), &capture->read);
	for (size_t i = 0; i < capture->sniffer_count; i++)
		sniffer_free(capture->sniffers[i]);
	free(capture->sniffers);
	capture_free(capture->file);
}
