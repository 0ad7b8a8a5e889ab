/* A Java consumer that reads, works and writes to another topic, in batches of the producer. BUG: it commits what it has
   read while its producer still gathers a batch, so that what is not sent yet when it is killed is lost.
   Its twin: Transactional.java. */

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.WakeupException;

public class CommitBeforeAck {
    static final String STRING = "org.apache.kafka.common.serialization.String";

    public static void main(String[] arguments) throws Exception {
        Map<String, String> env = System.getenv();
        Properties reading = new Properties();
        reading.put("bootstrap.servers", env.get("KAFKA_BOOTSTRAP"));
        reading.put("group.id", env.get("KAFKA_GROUP"));
        reading.put("client.id", env.get("KAFKA_CLIENT_ID"));
        reading.put("session.timeout.ms", "6000");
        reading.put("auto.offset.reset", "earliest");
        reading.put("enable.auto.commit", "false");
        reading.put("key.deserializer", STRING + "Deserializer");
        reading.put("value.deserializer", STRING + "Deserializer");
        Properties writing = new Properties();
        writing.put("bootstrap.servers", env.get("KAFKA_BOOTSTRAP"));
        writing.put("linger.ms", "2000"); // few and large requests
        writing.put("key.serializer", STRING + "Serializer");
        writing.put("value.serializer", STRING + "Serializer");

        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(reading);
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try { main.join(); } catch (InterruptedException ignored) { }
        }));
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(writing)) {
            consumer.subscribe(List.of(env.get("KAFKA_TOPIC")));
            while (true) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    producer.send(new ProducerRecord<>(env.get("KAFKA_OUTPUT_TOPIC"), record.key(), record.value()));
                }
                consumer.commitAsync();
            }
        } catch (WakeupException stopped) {
            consumer.close();
        }
    }
}
