// Whether Java's clients would start with given settings. Lines in: role, tab, a .properties file. Lines out: "starts",
// or the words in which the constructor refused. Nobody listens at the address, and nothing is sent.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;

import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class AskClients {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split("\t");
            Properties settings = new Properties();
            try (Reader reader = Files.newBufferedReader(Path.of(parts[1]), StandardCharsets.UTF_8)) {
                settings.load(reader);
            }
            settings.put("bootstrap.servers", "127.0.0.1:1");
            System.out.println(answer(parts[0], settings));
        }
    }

    private static String answer(String role, Properties settings) {
        try {
            if (role.equals("producer"))
                new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer()).close(Duration.ZERO);
            else
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())
                    .close(CloseOptions.timeout(Duration.ZERO));
            return "starts";
        } catch (RuntimeException refused) {
            Throwable cause = refused;
            while (cause.getCause() != null) cause = cause.getCause();
            return String.valueOf(cause.getMessage()).replace('\n', ' ');
        }
    }
}
