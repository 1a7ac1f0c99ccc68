#include "net/livecapture_output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/notice.h"
#include "net/thread.h"

#define MILLISECOND INT64_C(1000000)
#define WRITE_MOST (256 * 1024)	      /* at once, so that progress shows */
#define PATIENCE (1000 * MILLISECOND) /* at the end, with a reader that does not read */

/* -- the thread -- */

static void
output_failed(struct livecapture_output *output, int error)
{
	atomic_store(&output->broken, true);
	if (error == EPIPE)
		notice(
		    NOTICE_WARNING, "%s: its reader has gone: the live capture ends", output->name);
	else
		notice(
		    NOTICE_ERROR, "%s: %s: the live capture ends", output->name, strerror(error));
}

static void
output_write(struct livecapture_output *output, const unsigned char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t put = write(output->fd, bytes, size < WRITE_MOST ? size : WRITE_MOST);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			output_failed(output, errno);
			return;
		}
		bytes += put;
		size -= (size_t)put;
		byte_queue_give(&output->queue, (size_t)put);
	}
}

static void *
output_run(void *argument)
{
	struct livecapture_output *output = argument;
	const unsigned char *bytes;
	size_t size;

	if (output->fifo) {
		output->fd = open(output->path, O_WRONLY | O_CLOEXEC);
		if (output->fd < 0)
			output_failed(output, errno);
	}
	while (!atomic_load(&output->broken) &&
	       (bytes = byte_queue_take(&output->queue, &size)) != NULL)
		output_write(output, bytes, size);
	if (output->fd >= 0 && close(output->fd) != 0 && !atomic_load(&output->broken))
		output_failed(output, errno);
	byte_queue_end(&output->queue);
	return NULL;
}

/* -- life -- */

/* Take standard output for the capture alone: what -x runs would write into it. */
static int
output_take_stdout(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (fd >= 0)
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	return fd;
}

/* Open the output as far as that does not wait. Returns -1 after a message. */
static int
output_open(struct livecapture_output *output)
{
	struct stat status;

	output->fd = -1;
	if (strcmp(output->path, "-") == 0) {
		if (isatty(STDOUT_FILENO)) {
			notice(NOTICE_ERROR, "--pcap -: standard output is a terminal");
			return -1;
		}
		output->fd = output_take_stdout();
	} else if (stat(output->path, &status) == 0 && S_ISFIFO(status.st_mode)) {
		output->fifo = true;
		return 0;
	} else {
		output->fd =
		    open(output->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	}
	if (output->fd < 0)
		notice(NOTICE_ERROR, "--pcap %s: %s", output->path, strerror(errno));
	return output->fd < 0 ? -1 : 0;
}

int
livecapture_output_start(struct livecapture_output *output, const char *path, size_t queue_size)
{
	output->path = path;
	output->name = strcmp(path, "-") == 0 ? "standard output" : path;
	if (output_open(output) != 0)
		return -1;
	if (byte_queue_init(&output->queue, queue_size) != 0)
		goto failed;
	if (thread_start(&output->thread, output_run, output) == 0) {
		output->started = true;
		return 0;
	}
	byte_queue_release(&output->queue);
failed:
	notice(NOTICE_ERROR, "--pcap %s: %s", path, strerror(errno));
	if (output->fd >= 0)
		close(output->fd);
	return -1;
}

bool
livecapture_output_finish(struct livecapture_output *output)
{
	int64_t since = thread_clock();
	uint64_t before = byte_queue_progress(&output->queue);

	byte_queue_stop(&output->queue);
	while (!byte_queue_ended(&output->queue, thread_clock() + 50 * MILLISECOND)) {
		uint64_t progress = byte_queue_progress(&output->queue);
		if (progress != before)
			since = thread_clock();
		before = progress;
		if (thread_clock() - since > PATIENCE) {
			notice(NOTICE_WARNING,
			    "%s: its reader does not read: the live capture is not complete",
			    output->name);
			return false;
		}
	}
	pthread_join(output->thread, NULL);
	byte_queue_release(&output->queue);
	output->started = false;
	return true;
}
